"""Rates of exchange: admins set them, everybody sees them."""

from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from api_gateway.errors import Refused
from api_gateway.fx import repository
from api_gateway.fx.schemas import FxRateSetting, FxRateView
from api_gateway.paging import Page, parse_seq_cursor, seq_cursor
from api_gateway.values import view
from shared.database.tables import utc_now


class Fx:
    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def set_rate(
        self, user_id: UUID, currency: str, quote_currency: str, setting: FxRateSetting
    ) -> FxRateView:
        """Order processors follow within ORDER_RISK_REFRESH_S. One that was set before stays, for
        what it was used for."""
        now = utc_now()
        at = setting.at or now
        if currency == quote_currency:
            raise Refused("invalid_pair", "A currency has no rate in itself.")
        if at > now:
            raise Refused("rate_of_future", "A rate holds from now on, or from an earlier time.")
        with self._sessions.begin() as db:
            row = repository.add(db, currency, quote_currency, setting.rate, at, user_id)
            return view(FxRateView, row)

    def rates(
        self, currency: str | None, quote_currency: str | None, cursor: str | None, limit: int
    ) -> Page[FxRateView]:
        before = parse_seq_cursor(cursor)
        with self._sessions() as db:
            rows = repository.rates(db, currency, quote_currency, before, limit + 1)
        more = len(rows) > limit
        return Page[FxRateView](
            items=[view(FxRateView, row) for row in rows[:limit]],
            next_cursor=seq_cursor(rows[limit - 1].id) if more else None,
        )
