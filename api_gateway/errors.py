"""What goes wrong here, and who reacts.

Refused            the caller's request can't be served. Its code decides the HTTP status,
                   by the one table below; the caller reads the sentence and reacts.
├─ codes of our own (identity, access, accounts)
└─ codes of the order processor's refusals, passed on
Problem            raised by edges only (shared.service.problems)
AnswerOverdueError the order processor didn't answer: becomes Refused("outcome_unknown")
RedisError, OperationalError and kin: a store is away, 503 (shared.service.problems)
httpx.TransportError: another service is away, 503 (api_gateway.upstream)
"""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shared.service.problems import Problem, problem_response


class Refused(Exception):  # noqa: N818
    """`code` is stable, `message` a sentence for people; `members` go into the problem body."""

    def __init__(
        self, code: str, message: str, members: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members


#: Every code whose status isn't 422: the request was understood, the state of things forbids it.
_STATUS = {
    "unauthenticated": 401,
    "token_expired": 401,
    "token_invalid": 401,
    "session_ended": 401,
    "wrong_credentials": 401,
    "refresh_token_invalid": 401,
    "admins_only": 403,
    "admins_can_not_trade": 403,
    "investors_can_not_trade": 403,
    "read_only": 403,
    "not_found": 404,
    "email_taken": 409,
    "username_taken": 409,
    "account_name_taken": 409,
    "order_not_working": 409,
    "client_order_id_conflict": 409,
    "client_entry_id_conflict": 409,
    "client_conversion_id_conflict": 409,
    "deployment_running": 409,
    "exits_working": 409,
    "deployment_stopped": 409,
    "order_of_deployment": 409,
    "order_triggered": 409,
    "order_change_pending": 409,
    "qty_follows_group": 409,
    "notional_not_replaceable": 409,
    "position_not_open": 409,
    "loss_limit_not_latched": 409,
    "kill_switch_not_engaged": 409,
    "requirement_not_met": 409,
    "margin_in_use": 409,
    "margin_call_open": 409,
    "risk_order_rate": 429,
    "broker_not_ready": 503,
    "busy": 503,
    "outcome_unknown": 503,
    "limits_not_confirmed": 503,
    "books_not_open": 503,
}
_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}


def as_problem(refused: Refused) -> Problem:
    status = _STATUS.get(refused.code, 422)
    return Problem(
        status,
        refused.code,
        refused.message,
        headers=_HEADERS.get(status),
        members=refused.members,
    )


def install_refusal_handler(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def on_refused(request: Request, refused: Refused) -> JSONResponse:
        request_id = getattr(request.state, "request_id", None)
        return problem_response(as_problem(refused), request_id)
