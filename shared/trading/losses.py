"""Which loss limit the books have reached. Pure.

The loss of an account counts from when a limit was first seen or last acknowledged, that of a
session from its beginning, that of a deployment from its start; all of them from the last
acknowledgement, when there was one.
"""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import msgspec

from shared.models.risk import DeploymentLoss, LossKind
from shared.trading.amounts import ZERO
from shared.trading.risk import Bound
from shared.trading.risk_guard import RiskGuard

_NEVER_LOST = DeploymentLoss()


class Reached(msgspec.Struct, frozen=True):
    kind: LossKind
    bound: Bound
    loss: Decimal


def watched(guard: RiskGuard) -> bool:
    """Whether a loss can still reach a limit."""
    bounds = guard.ladder.account
    limited = bounds.loss is not None or bounds.session_loss is not None
    return (limited and guard.state.loss is None) or bool(guard.ladder.losses)


def loss(guard: RiskGuard, profit: Decimal) -> Decimal:
    """Since the reset; negative when it is a gain. The first look is the first reset."""
    return (guard.state.baseline or ZERO) - profit


def session_loss(guard: RiskGuard, profit: Decimal) -> Decimal | None:
    session = guard.state.session
    return None if session is None else session.baseline - profit


def reached(guard: RiskGuard) -> Reached | None:
    """A limit of the account that its loss has reached. The session's comes second."""
    bounds, state = guard.ladder.account, guard.state
    if state.loss is not None or (bounds.loss is None and bounds.session_loss is None):
        return None
    profit = guard.profit()
    if bounds.loss is not None and state.baseline is not None:
        lost = loss(guard, profit)
        if lost >= bounds.loss.limit:
            return Reached("max_loss", bounds.loss, lost)
    lost_since = session_loss(guard, profit)
    if bounds.session_loss is None or lost_since is None:
        return None
    if lost_since < bounds.session_loss.limit:
        return None
    return Reached("max_session_loss", bounds.session_loss, lost_since)


def losses_of_deployments(guard: RiskGuard) -> dict[UUID, Decimal]:
    """Of those with a loss limit, or a latch of one."""
    concerned = guard.ladder.losses | guard.state.deployments.keys()
    return {
        each: guard.state.deployments.get(each, _NEVER_LOST).baseline - profit
        for each, profit in guard.profits_of(concerned).items()
    }


def reached_by_deployments(guard: RiskGuard) -> Iterator[tuple[UUID, Reached]]:
    if not guard.ladder.losses:
        return
    for deployment_id, lost in sorted(losses_of_deployments(guard).items()):
        bounds = guard.ladder.deployments.get(deployment_id)
        bound = None if bounds is None else bounds.loss
        latch = guard.state.deployments.get(deployment_id, _NEVER_LOST).latch
        if bound is not None and latch is None and lost >= bound.limit:
            yield deployment_id, Reached("max_loss", bound, lost)
