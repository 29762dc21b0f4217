"""What an account's topics say about a change of its books. Pure."""

from shared.models.identifiers import AccountId, Mode
from shared.models.orders import OrderExecuted, OrderUpdated, Position
from shared.trading.changes import OrderChanged, OrderFilled
from shared.trading.positions import Holding


def updated(change: OrderChanged | OrderFilled, tape_id: str) -> OrderUpdated:
    order = change.order
    return OrderUpdated(order=order, event=order.status, tape_id=tape_id, cash=change.cash)


def executed(change: OrderFilled, tape_id: str) -> OrderExecuted:
    execution = change.execution
    return OrderExecuted(
        execution=execution,
        order=change.order,
        position=position_of(AccountId(execution.account_id), execution.mode, change.holding),
        cash=change.cash,
        tape_id=tape_id,
    )


def position_of(account: AccountId, mode: Mode, holding: Holding) -> Position:
    assert holding.updated_at is not None, "a position begins with a fill"
    return Position(
        account,
        mode,
        holding.symbol,
        holding.qty,
        holding.avg_price,
        holding.realized_pnl,
        holding.fees,
        holding.updated_at,
    )
