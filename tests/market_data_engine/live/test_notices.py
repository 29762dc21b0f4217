"""Who is told of a silent feed."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from market_data_engine.live.notices import tell_of_return, tell_of_silence
from market_data_engine.live.silence import Silent
from shared.database.tables import AccountRow, DeploymentRow, NotificationRow, UserRow

SINCE = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def add_user(db: Session, name: str, role: str = "trader") -> UUID:
    user = UserRow(email=f"{name}@example.com", username=name, password_hash="-", role=role)
    db.add(user)
    db.flush()
    return user.id


def add_strategy(db: Session, owner: UUID, symbol: str, wanted: str = "running") -> None:
    account = AccountRow(
        owner_id=owner, name="Main", base_currency="USD", paper_capital=1, paper_terms={}
    )
    db.add(account)
    db.flush()
    db.add(
        DeploymentRow(
            account_id=account.id,
            mode="paper",
            strategy="s",
            parameters={},
            symbols=[symbol, "QQQ"],
            timeframe="1m",
            wanted=wanted,
            status="running",
        )
    )


def test_admins_and_owners_of_waiting_strategies_are_told_once_and_nobody_else(
    engine: Engine,
) -> None:
    with Session(engine) as db, db.begin():
        admin = add_user(db, "root", "admin")
        waiting, elsewhere, paused = (add_user(db, name) for name in ("ada", "eve", "bob"))
        add_user(db, "idle")
        add_strategy(db, waiting, "AAPL")
        add_strategy(db, elsewhere, "SPY")
        add_strategy(db, paused, "AAPL", wanted="paused")
    silent = {
        symbol: Silent("alpaca", SINCE, "Nothing has come from alpaca.")
        for symbol in ("AAPL", "MSFT", "TSLA")
    }
    with engine.begin() as connection:
        tell_of_silence(connection, {"TSLA"}, silent)
        tell_of_silence(connection, silent, silent)
        tell_of_return(connection, ["AAPL"])
        tell_of_return(connection, [])
    with Session(engine) as db:
        rows = db.query(NotificationRow).order_by(NotificationRow.id).all()
    assert {(row.user_id, row.code) for row in rows} == {
        (user, code) for user in (admin, waiting) for code in ("feed_lost", "feed_heard_again")
    }
    assert len(rows) == 4
    assert rows[0].text == "Nothing has come from alpaca."
    assert rows[0].context["symbols"] == ["AAPL", "MSFT"]
    assert rows[0].account_id is None
