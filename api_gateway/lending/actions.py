"""What it takes to sell an instrument short: admins set it, order processors follow at once."""

from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from api_gateway.errors import Refused
from api_gateway.lending.schemas import LendingChange, LendingView
from api_gateway.risk import repository
from api_gateway.risk.following import Followers
from api_gateway.risk.trail import note
from api_gateway.values import plain, view
from shared.database.tables import InstrumentRow


class Lending:
    def __init__(self, sessions: sessionmaker[Session], followers: Followers) -> None:
        self._sessions = sessions
        self._followers = followers

    async def change(self, user_id: UUID, symbol: str, change: LendingChange) -> LendingView:
        """It holds for the next order when this returns; Refused `limits_not_confirmed` when it is
        stored and not all shards have said so. Asking for what is there already changes nothing."""
        told, version = await run_in_threadpool(self._store, user_id, symbol, change)
        await self._followers.follow(version, None)
        return told

    def _store(self, user_id: UUID, symbol: str, change: LendingChange) -> tuple[LendingView, int]:
        given = {name: value for name, value in change if value is not None}
        with self._sessions.begin() as db:
            version = repository.next_version(db)
            row = db.get(InstrumentRow, symbol, with_for_update=True)
            if row is None:
                raise Refused("not_found", "There is no such instrument.")
            before = {name: getattr(row, name) for name in given}
            if before != given:
                for name, value in given.items():
                    setattr(row, name, value)
                detail = {"before": _told(before), "after": _told(given)}
                note(db, user_id, "set_lending", symbol=symbol, detail=detail)
            return view(LendingView, row), version


def _told(values: dict[str, object]) -> dict[str, object]:
    return {
        name: value if isinstance(value, bool) else plain(value)  # type: ignore[arg-type]
        for name, value in values.items()
    }
