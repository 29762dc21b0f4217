"""A conversion as the order processor makes it, of a position of 100 that is traded by hand."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from shared.database.tables import PositionConversionRow
from shared.models.conversions import ConvertPosition, PositionConversion, PositionConversionReply
from shared.models.orders import Refusal, Reply


def convert_position(db: Session, command: ConvertPosition) -> Reply:
    key = (command.account_id, command.mode, command.client_conversion_id)
    known = db.get(PositionConversionRow, key)
    if known is None:
        if command.from_deployment_id == command.to_deployment_id:
            return _refused(command, "same_owner")
        if command.from_deployment_id is not None:
            return _refused(command, "deployment_running")
        if command.qty > 100:
            return _refused(command, "qty_exceeds_position")
        known = PositionConversionRow(
            account_id=command.account_id,
            mode=command.mode,
            client_conversion_id=command.client_conversion_id,
            symbol=command.symbol,
            from_deployment_id=None,
            to_deployment_id=command.to_deployment_id,
            qty=command.qty,
            cost=command.qty * 5,
            execution_seq=1,
            at=datetime.now(UTC),
            submitted_by=command.submitted_by,
            reason=command.reason,
        )
        db.add(known)
        db.flush()
        return _told(command, known, repeated=False)
    return _told(command, known, repeated=True)


def _refused(command: ConvertPosition, code: str) -> Reply:
    return Refusal(request_id=command.request_id, code=code, message="It can't be.")


def _told(command: ConvertPosition, row: PositionConversionRow, *, repeated: bool) -> Reply:
    told = {name: getattr(row, name) for name in PositionConversion.__struct_fields__}
    return PositionConversionReply(
        request_id=command.request_id, conversion=PositionConversion(**told), repeated=repeated
    )
