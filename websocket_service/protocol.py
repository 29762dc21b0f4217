"""One client's side of the protocol, as a state machine without I/O.

It says what a message asks for, or why it is refused, and when the connection's time is
over. The shell (`connection.py`) moves bytes and carries things out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from shared.auth import Principal

#: Longest message that a client may send; a longer one closes the connection with 1009.
MAX_MESSAGE_BYTES = 64 * 1024
_MAX_SEQ = 2**63 - 1

NOT_AUTHENTICATED = 4401
NO_AUTHENTICATION_IN_TIME = 4408
TOO_SLOW = 4429
DRAINING = 1001
TRY_AGAIN_LATER = 1013

Seq = Annotated[int, msgspec.Meta(ge=0, le=_MAX_SEQ)]
Names = Annotated[list[str], msgspec.Meta(min_length=1)]


class Auth(msgspec.Struct, frozen=True, tag_field="op", tag="auth"):
    token: str


class Subscribe(msgspec.Struct, frozen=True, tag_field="op", tag="subscribe"):
    topics: Names
    #: Topic → sequence number of the last frame that the client has.
    resume: dict[str, Seq] = {}


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="op", tag="unsubscribe"):
    topics: Names


class Ping(msgspec.Struct, frozen=True, tag_field="op", tag="ping"):
    pass


class Pace(msgspec.Struct, frozen=True, tag_field="op", tag="pace"):
    pass


class Ack(msgspec.Struct, frozen=True, tag_field="op", tag="ack"):
    #: Of the time mark that the client has come to.
    number: Annotated[int, msgspec.Meta(ge=1, le=_MAX_SEQ)]


Op = Auth | Subscribe | Unsubscribe | Ping | Pace | Ack


class _Head(msgspec.Struct, frozen=True):
    op: str


_OPS = frozenset({"auth", "subscribe", "unsubscribe", "ping", "pace", "ack"})
_op_decoder = msgspec.json.Decoder(Op)
_head_decoder = msgspec.json.Decoder(_Head)


@dataclass(frozen=True)
class Refused:
    """Nothing was changed; the client is told why and may go on."""

    code: str
    message: str
    topic: str | None = None


@dataclass(frozen=True)
class Close:
    """The connection ends. `error` is sent before, where there is more to say than the code."""

    code: int
    reason: str
    error: Refused | None = None


class ClientProtocol:
    def __init__(self, connected_at: datetime, auth_timeout: timedelta, max_topics: int) -> None:
        self._authenticate_by = connected_at + auth_timeout
        self._max_topics = max_topics
        #: None until the client has authenticated.
        self.principal: Principal | None = None
        #: Topics that the client follows or is about to follow.
        self.topics: set[str] = set()
        self.pacing = False

    def receive(self, message: str | bytes) -> Op | Refused | Close:
        """What one message asks for."""
        decoded = _decode(message)
        if self.principal is None and not isinstance(decoded, Auth):
            refused = decoded if isinstance(decoded, Refused) else None
            error = refused or Refused("not_authenticated", "The first message must be `auth`.")
            return Close(NOT_AUTHENTICATED, "not authenticated", error)
        match decoded:
            case Subscribe(topics=names) if self._too_many(names):
                return Refused(
                    "too_many_topics", f"A client may follow {self._max_topics} topics at once."
                )
            case Pace() if self.principal is not None and self.principal.role != "admin":
                return Refused("admins_only", "Only admins can take part in pacing.")
            case Ack() if not self.pacing:
                return Refused("not_pacing", "Send `pace` before the first `ack`.")
        return decoded

    def _too_many(self, names: list[str]) -> bool:
        return len(self.topics.union(names)) > self._max_topics

    def authenticate(self, principal: Principal) -> Close | None:
        """Take in a verified token, at first or to go on beyond the last one's end."""
        if self.principal is not None and (
            (self.principal.user_id, self.principal.role) != (principal.user_id, principal.role)
        ):
            error = Refused("another_user", "This connection belongs to another user.")
            return Close(NOT_AUTHENTICATED, "another user", error)
        self.principal = principal
        return None

    def overdue(self, now: datetime) -> Close | None:
        """Why the connection must end now, if it must."""
        if self.principal is None:
            if now >= self._authenticate_by:
                return Close(NO_AUTHENTICATION_IN_TIME, "no authentication in time")
        elif now >= self.principal.expires_at:
            error = Refused("token_expired", "The access token has expired.")
            return Close(NOT_AUTHENTICATED, "token expired", error)
        return None


def _decode(message: str | bytes) -> Op | Refused:
    if isinstance(message, bytes):
        return Refused("invalid_message", "Messages are text frames.")
    try:
        head = _head_decoder.decode(message)
        if head.op not in _OPS:
            return Refused("unknown_op", "There is no such op.")
        op: Op = _op_decoder.decode(message)
    except msgspec.ValidationError as error:
        return Refused("invalid_message", str(error))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return Refused("invalid_json", "A message is one JSON object.")
    return op


# --- what the server says ---------------------------------------------------------------------


_encode = msgspec.json.encode

AUTHENTICATED = b'{"op":"authenticated"}'
PONG = b'{"op":"pong"}'
PACING = b'{"op":"pacing"}'


def error_message(refused: Refused) -> bytes:
    fields = {"op": "error", "code": refused.code, "message": refused.message}
    return _encode(fields if refused.topic is None else fields | {"topic": refused.topic})


def snapshot_message(topic: str, seq: int, data: bytes) -> bytes:
    """`data` is JSON already, and may be large: it is not decoded here."""
    return b'{"op":"snapshot","topic":%b,"seq":%d,"data":%b}' % (_encode(topic), seq, data)


def resumed_message(topic: str, seq: int) -> bytes:
    return b'{"op":"resumed","topic":%b,"seq":%d}' % (_encode(topic), seq)


def unsubscribed_message(topic: str) -> bytes:
    return b'{"op":"unsubscribed","topic":%b}' % _encode(topic)


def conflated_message(topic: str, seq: int) -> bytes:
    """The frames before `seq` that the client has not got were left out on purpose."""
    return b'{"op":"conflated","topic":%b,"seq":%d}' % (_encode(topic), seq)
