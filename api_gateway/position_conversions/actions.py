from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from api_gateway.orders.requests import OrderProcessor
from api_gateway.paging import Page, Place, page_of, parse_seq_cursor, seq_cursor
from api_gateway.position_conversions.schemas import ConversionTicket, PositionConversionView
from shared.database.tables import PositionConversionRow
from shared.models.conversions import PositionConversionReply
from shared.models.identifiers import Mode


class PositionConversions:
    def __init__(self, sessions: sessionmaker[Session], processor: OrderProcessor) -> None:
        self._sessions = sessions
        self._processor = processor

    async def convert(
        self, account_id: UUID, user_id: UUID, symbol: str, ticket: ConversionTicket
    ) -> PositionConversionReply:
        """At most one conversion for its client conversion id."""
        return await self._processor.convert_position(
            account_id,
            user_id,
            mode=ticket.mode,
            symbol=symbol,
            owners=(ticket.from_deployment_id, ticket.to_deployment_id),
            qty=ticket.qty,
            client_conversion_id=ticket.client_conversion_id or uuid4().hex,
            reason=ticket.reason,
        )

    def page(
        self, account_id: UUID, mode: Mode, symbol: str, place: Place
    ) -> Page[PositionConversionView]:
        """Newest first."""
        row, before = PositionConversionRow, parse_seq_cursor(place.cursor)
        query = select(row).where(
            row.account_id == account_id, row.mode == mode, row.symbol == symbol
        )
        if before is not None:
            query = query.where(row.number < before)
        with self._sessions() as db:
            rows = db.scalars(query.order_by(row.number.desc()).limit(place.limit + 1)).all()
        return page_of(PositionConversionView, rows, place, lambda each: seq_cursor(each.number))
