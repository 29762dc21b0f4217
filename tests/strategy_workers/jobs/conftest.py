from datetime import UTC, datetime, timedelta
from math import sin
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.database.tables import AccountRow, CandleRow, UserRow

FIRST = datetime(2024, 1, 8, 15, tzinfo=UTC)
MINUTES = 300


@pytest.fixture
def owner(engine: Engine, account: UUID) -> UUID:
    with Session(engine) as session:
        return session.scalars(select(AccountRow.owner_id).where(AccountRow.id == account)).one()


@pytest.fixture
def stranger(engine: Engine) -> UUID:
    with Session(engine) as session, session.begin():
        user = UserRow(
            email="other@example.org", username="other", password_hash="-", role="trader"
        )
        session.add(user)
        session.flush()
        return user.id


def price_at(minute: int) -> float:
    return round(100 + 5 * sin(minute / 9), 2)


def store_candles(engine: Engine, symbol: str) -> None:
    """Minutes of waves."""
    with Session(engine) as session, session.begin():
        for minute in range(MINUTES):
            start = FIRST + timedelta(minutes=minute)
            opened, closed = price_at(minute), price_at(minute + 1)
            session.add(
                CandleRow(
                    symbol=symbol,
                    timeframe="1m",
                    start=start,
                    end=start + timedelta(minutes=1),
                    open=opened,
                    high=max(opened, closed),
                    low=min(opened, closed),
                    close=closed,
                    volume=100.0,
                    vwap=(opened + closed) / 2,
                    trades=4,
                    source="replay",
                    quality="complete",
                    as_of=start + timedelta(minutes=1),
                )
            )
