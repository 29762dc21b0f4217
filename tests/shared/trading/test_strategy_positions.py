"""Each strategy's position is what its own executions leave; together they are the net one."""

from decimal import Decimal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.identifiers import Symbol
from shared.trading.amounts import exactly
from shared.trading.positions import Holding, after_fill
from shared.trading.strategy_positions import Owner, StrategyPositions
from tests.shared.trading.support import T0

D = Decimal
A = Symbol("A")
OWNERS: list[Owner] = [None, UUID(int=1), UUID(int=2)]

fills = st.lists(
    st.tuples(
        st.sampled_from(OWNERS),
        st.integers(-900, 900).filter(bool),
        st.integers(1, 10**6),
        st.integers(0, 300),
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(fills, st.integers(0, 25))
@exactly
def test_each_owner_has_what_its_own_fills_leave_and_all_add_up(
    trades: list[tuple[Owner, int, int, int]], restart_at: int
) -> None:
    net, strategies = Holding(A), StrategyPositions(())
    alone: dict[Owner, Holding] = {}
    for number, (owner, tenths, price, cents) in enumerate(trades):
        qty, fee = D(tenths) / 10, D(cents) / 100
        flow = -qty * D(price) / 1000
        net, _ = after_fill(net, qty, flow, fee, T0)
        own = strategies.fill(owner, net, qty, flow, fee, T0)
        alone[owner], _ = after_fill(alone.get(owner, Holding(A)), qty, flow, fee, T0)
        assert own == alone[owner]
        if number == restart_at:
            strategies = StrategyPositions(strategies.items())
    held = dict(strategies.items())
    assert held == alone
    assert sum((each.qty for each in held.values()), D(0)) == net.qty
    assert sum((each.fees for each in held.values()), D(0)) == net.fees
    # What is realised differs; at any price, profit doesn't.
    profits = sum((each.realized_pnl - each.cost for each in held.values()), D(0))
    assert profits == net.realized_pnl - net.cost
