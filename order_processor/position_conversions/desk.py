"""Serves conversions of positions. No I/O: earlier ones and the deployments are looked up first."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from order_processor.position_conversions.records import Owner
from order_processor.shards.replies import refusal
from order_processor.shards.state import BooksKey
from shared.models.conversions import ConvertPosition, PositionConversion, PositionConversionReply
from shared.models.identifiers import Symbol
from shared.models.orders import Reply
from shared.trading.books import Books
from shared.trading.changes import PositionMoved
from shared.trading.risk_guard import stopped
from shared.trading.terms import Instrument, Refused

_CONFLICT = Refused(
    "client_conversion_id_conflict", "Another conversion was made with this client_conversion_id."
)

Made = Mapping[tuple[BooksKey, str], PositionConversion]


def serve(
    books: Books,
    command: ConvertPosition,
    made: Made,
    owners: Mapping[UUID, Owner],
    instruments: Mapping[Symbol, tuple[Instrument, float]],
    at: datetime,
) -> tuple[Reply, PositionMoved | None]:
    key = (command.account_id, command.mode)
    known = made.get((key, command.client_conversion_id))
    if known is not None:
        if not _says_the_same(command, known):
            return refusal(command, _CONFLICT), None
        reply = PositionConversionReply(
            request_id=command.request_id, conversion=known, repeated=True
        )
        return reply, None
    fault = _fault_of(command, owners)
    if fault is None and command.symbol in books.risk.stopped:
        fault = stopped(command.symbol)
    if fault is not None:
        return refusal(command, fault), None
    instrument = instruments.get(command.symbol)
    if instrument is None:
        unknown = Refused("unknown_symbol", f"There is no instrument {command.symbol!r}.")
        return refusal(command, unknown), None
    moved = books.convert_position(command, instrument[0].lot_size, at)
    if isinstance(moved, Refused):
        return refusal(command, moved), None
    reply = PositionConversionReply(request_id=command.request_id, conversion=moved.conversion)
    return reply, moved


def _fault_of(command: ConvertPosition, owners: Mapping[UUID, Owner]) -> Refused | None:
    for deployment_id in (command.from_deployment_id, command.to_deployment_id):
        if deployment_id is None:
            continue
        owner = owners.get(deployment_id)
        if owner is None or (owner.account_id, owner.mode) != (command.account_id, command.mode):
            return Refused("not_found", "The account has no such deployment.")
        if owner.active:
            return Refused(
                "deployment_running",
                "The deployment must be paused: it would go on without knowing of it.",
                observed=str(deployment_id),
            )
    if command.to_deployment_id is not None and owners[command.to_deployment_id].stopped:
        return Refused("deployment_stopped", "The deployment was stopped for good.")
    return None


def _says_the_same(command: ConvertPosition, known: PositionConversion) -> bool:
    return (
        known.symbol == command.symbol
        and known.from_deployment_id == command.from_deployment_id
        and known.to_deployment_id == command.to_deployment_id
        and abs(known.qty) == command.qty
        and known.reason == command.reason
        and known.submitted_by == command.submitted_by
    )
