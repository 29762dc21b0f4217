from datetime import timedelta

import msgspec
from sqlalchemy import Engine, text

from order_processor.shards.rows import ledger_entry_of
from shared.models.cash import LedgerEntry
from shared.models.identifiers import AccountId, Mode


class Left(msgspec.Struct, frozen=True):
    """The half of a transfer that left its account, while the other hasn't arrived."""

    account_id: AccountId
    mode: Mode
    entry: LedgerEntry


_UNDER_WAY = text(
    """
    SELECT * FROM ledger_entries o
     WHERE o.transfer_id IS NOT NULL AND o.amount < 0 AND o.recorded_at < now() - :age
       AND NOT EXISTS (SELECT FROM ledger_entries i
                        WHERE i.transfer_id = o.transfer_id AND i.amount > 0)
     ORDER BY o.recorded_at LIMIT :most
    """
)


def under_way(engine: Engine, age: timedelta, most: int) -> list[Left]:
    """Transfers that left longer than `age` ago, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(_UNDER_WAY, {"age": age, "most": most})
        return [Left(AccountId(row.account_id), row.mode, ledger_entry_of(row)) for row in rows]
