"""How the books of an account stand against their limits. Pure."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from order_processor.shards.fx import foreign_cash_of
from shared.models.risk import DeploymentLossUse, LimitUse, RiskReply
from shared.trading.amounts import ZERO, plain, shown
from shared.trading.books import Books
from shared.trading.losses import loss, losses_of_deployments, session_loss
from shared.trading.risk import Bounds
from shared.trading.risk_guard import RiskGuard


def report(request_id: str, books: Books, at: datetime) -> RiskReply:
    guard = books.risk
    gross = guard.gross_exposure()
    profit = guard.profit()
    lost = loss(guard, profit) if guard.state.baseline is not None else ZERO
    in_session = session_loss(guard, profit)
    uses = _uses(guard, gross=shown(gross), at=at, count=len(books.working))
    losses = _loss_uses(guard, lost, in_session or ZERO)
    return RiskReply(
        request_id=request_id,
        at=at,
        state=guard.state,
        gross_exposure=plain(gross),
        net_exposure=plain(guard.net_exposure()),
        loss=plain(lost),
        open_orders=len(books.working),
        halted=None if guard.halt is None else guard.halt.reason,
        limits=(*uses, *losses),
        margin_terms=books.margin.terms,
        margin=books.margin.figures(at),
        foreign_cash=foreign_cash_of(books),
        session_loss=None if in_session is None else plain(in_session),
        deployments=tuple(_deployments(guard)),
    )


def _uses(guard: RiskGuard, *, gross: str, at: datetime, count: int) -> Iterator[LimitUse]:
    """Limits of single orders have nothing in use."""
    bounds: Bounds = guard.ladder.account
    second, minute = guard.orders_within(at)
    used = {
        "max_order_value": (bounds.order_value, "0"),
        "max_position_value": (bounds.position_value, shown(guard.largest_position())),
        "max_gross_exposure": (bounds.gross_exposure, gross),
        "price_collar_percent": (bounds.collar_percent, "0"),
    }
    for kind, (bound, use) in used.items():
        if bound is not None:
            yield LimitUse(kind, bound.level, shown(bound.limit), use)
    counted = {
        "max_open_orders": (bounds.open_orders, count),
        "max_orders_per_second": (bounds.per_second, second),
        "max_orders_per_minute": (bounds.per_minute, minute),
    }
    for kind, (limit, number) in counted.items():
        if limit is not None:
            yield LimitUse(kind, limit.level, str(limit.limit), str(number))
    if bounds.regular_hours is not None:
        yield LimitUse("sessions", bounds.regular_hours, "regular", "0")


def _loss_uses(guard: RiskGuard, lost: Decimal, in_session: Decimal) -> Iterator[LimitUse]:
    bounds = guard.ladder.account
    given = (("max_loss", bounds.loss, lost), ("max_session_loss", bounds.session_loss, in_session))
    for kind, bound, use in given:
        if bound is not None:
            yield LimitUse(kind, bound.level, shown(bound.limit), shown(use))


def _deployments(guard: RiskGuard) -> Iterator[DeploymentLossUse]:
    for deployment_id, lost in sorted(losses_of_deployments(guard).items()):
        bounds = guard.ladder.deployments.get(deployment_id)
        own = guard.state.deployments.get(deployment_id)
        yield DeploymentLossUse(
            deployment_id,
            None if bounds is None or bounds.loss is None else bounds.loss.limit,
            plain(lost),
            None if own is None else own.latch,
        )
