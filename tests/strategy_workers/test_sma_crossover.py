"""The crossover in constructed markets, on the runtime's own pure parts."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

import pytest

from shared.indicators import SMA
from shared.models.market import TimeMark
from strategy_workers.library.sma_crossover import SmaCrossover
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord
from strategy_workers.runtime.desk import Lots
from strategy_workers.runtime.holdings import NOTHING, Holding
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.snapshot import OutgoingCancel, OutgoingOrder, OutgoingReplace
from strategy_workers.sdk import InvalidParametersError, Strategy
from tests.strategy_workers.doubles import MINUTE_NS, candle

_FLAT_THEN_UP = [100.0] * 5 + [101, 102, 103]


def deployed(
    symbols: Sequence[str] = ("SPY",),
    lot: str = "1",
    strategy: type[Strategy] = SmaCrossover,
    parameters: Mapping[str, object] | None = None,
    **others: object,
) -> Deployment:
    record = DeploymentRecord(
        id=UUID(int=1),
        account_id=UUID(int=2),
        mode="paper",
        strategy="sma_crossover",
        parameters={"fast": 2, "slow": 4, **others} if parameters is None else dict(parameters),
        symbols=tuple(symbols),
        timeframe="1m",
        wanted="running",
        status="running",
        snapshot=None,
        lots={symbol: Lots(Decimal(lot), Decimal("0.01")) for symbol in symbols},
    )
    deployment = Deployment(record, strategy)
    deployment.portfolio = Portfolio(cash=Decimal(10_000))
    return deployment


class Trading:
    """Feeds closes, and fills every order at the close that it was decided on."""

    def __init__(self, deployment: Deployment, fills: bool = True) -> None:
        self.deployment = deployment
        self.fills = fills
        self.minute = 0
        #: Minute, side, quantity.
        self.orders: list[tuple[int, str, Decimal]] = []
        self.cancelled: list[str] = []

    def feed(self, prices: Sequence[float], symbol: str = "SPY") -> list[tuple[int, str, Decimal]]:
        for price in prices:
            self.minute += 1
            at_ns = self.minute * MINUTE_NS
            mark = TimeMark(number=self.minute, at_ns=at_ns, phase="strategy", paced=True)
            self.deployment.decide(
                f"{self.minute}-0", mark, [], [candle(symbol, at_ns - MINUTE_NS, price)]
            )
            for order in self.deployment.outbox:
                if isinstance(order, OutgoingCancel):
                    self.cancelled.append(order.client_order_id)
                    continue
                if isinstance(order, OutgoingReplace):
                    continue
                self.orders.append((self.minute, order.side, order.qty))
                if self.fills:
                    self._fill(order, Decimal(str(price)))
        return self.orders

    def _fill(self, order: OutgoingOrder, price: Decimal) -> None:
        portfolio = self.deployment.portfolio
        qty = order.qty if order.side == "buy" else -order.qty
        portfolio.cash -= qty * price
        held = portfolio.own.get(order.symbol, NOTHING).qty + qty
        portfolio.own[order.symbol] = portfolio.holdings[order.symbol] = Holding(held, price)
        del portfolio.working[order.client_order_id]


def test_it_buys_when_the_fast_average_crosses_above_and_sells_all_when_it_is_below() -> None:
    trading = Trading(deployed())
    orders = trading.feed([*_FLAT_THEN_UP, 104, 103, 100, 97])
    # Averages of 2 and 4 differ first at the sixth candle; they cross back at the eleventh.
    qty = Decimal(9500 // 101)
    assert orders == [(6, "buy", qty), (11, "sell", qty)]


def test_its_trades_are_those_of_averages_computed_plainly() -> None:
    prices = [100 + 10 * ((n * 37) % 23) / 23 + n / 10 for n in range(200)]
    fast, slow = SMA(2), SMA(4)
    expected, held, before = [], False, None
    for minute, price in enumerate(prices, start=1):
        quick, calm = fast.update(price), slow.update(price)
        if quick is None or calm is None:
            continue
        if not held and before is not None and before <= 0 and quick > calm:
            expected.append((minute, "buy"))
            held = True
        elif held and quick < calm:
            expected.append((minute, "sell"))
            held = False
        before = quick - calm
    orders = Trading(deployed()).feed(prices)
    assert [order[:2] for order in orders] == expected
    assert len(expected) > 20


def test_a_steady_market_makes_no_orders() -> None:
    assert Trading(deployed()).feed([100.0] * 50) == []


def test_a_market_that_rises_from_the_first_candle_has_no_crossing() -> None:
    assert Trading(deployed()).feed([float(price) for price in range(100, 150)]) == []


def test_an_order_that_is_still_working_is_not_sent_again() -> None:
    trading = Trading(deployed(), fills=False)
    # The averages cross at 104, touch at 96, and cross again at 110.
    assert [order[:2] for order in trading.feed([*[100.0] * 5, 104, 96, 110])] == [(6, "buy")]


def test_a_buy_that_is_still_working_when_the_averages_turn_is_cancelled() -> None:
    trading = Trading(deployed(), fills=False)
    trading.feed(_FLAT_THEN_UP)
    [bought] = trading.deployment.portfolio.working
    trading.feed([90, 90])
    assert trading.cancelled == [bought]


def test_it_never_spends_more_than_the_cash_there_is() -> None:
    deployment = deployed(allocation=100, buffer="1")
    deployment.portfolio.holdings["OTHER"] = Holding(Decimal(100), Decimal(500))
    [(_, _, qty)] = Trading(deployment).feed(_FLAT_THEN_UP)
    assert qty * 101 * Decimal("1.01") <= 10_000 < (qty + 1) * 101 * Decimal("1.01")


def test_symbols_share_the_allocation_equally() -> None:
    deployment = deployed(("SPY", "QQQ"))
    [(_, _, qty)] = Trading(deployment).feed(_FLAT_THEN_UP)
    assert qty == 4750 // 101


def test_quantities_are_whole_lots_and_less_than_one_is_no_order() -> None:
    [(_, _, qty)] = Trading(deployed(lot="10")).feed(_FLAT_THEN_UP)
    assert qty == 90
    assert Trading(deployed(lot="100")).feed(_FLAT_THEN_UP) == []
    [(_, _, qty)] = Trading(deployed(lot="0.001")).feed(_FLAT_THEN_UP)
    assert qty == Decimal("94.059")


def test_a_snapshot_in_the_middle_changes_nothing() -> None:
    prices = [100 + 10 * ((n * 37) % 23) / 23 for n in range(60)]
    undisturbed = Trading(deployed()).feed(prices)
    trading = Trading(deployed())
    for price in prices:
        successor = deployed()
        trading.deployment.saved()
        successor.restore(trading.deployment.snapshot())
        trading.deployment = successor
        trading.feed([price])
    assert trading.orders == undisturbed


@pytest.mark.parametrize(("fast", "slow"), [(30, 30), (31, 30)])
def test_the_fast_average_must_be_the_shorter_one(fast: int, slow: int) -> None:
    with pytest.raises(InvalidParametersError, match=r"fast: must be below slow \(30\)"):
        SmaCrossover.parse_parameters({"fast": fast, "slow": slow})
