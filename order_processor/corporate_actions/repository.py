"""Announced splits and dividends, and on which books they were carried out."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row, text

from shared.models.identifiers import Mode, Symbol
from shared.trading.amounts import plain
from shared.trading.corporate_actions import CorporateAction, Dividend, Split

#: Account and mode, and the actions that their books have seen.
Effects = dict[tuple[UUID, Mode], set[UUID]]


class Announced(msgspec.Struct, frozen=True):
    id: UUID
    symbol: str
    kind: str
    ratio_new: int | None
    ratio_old: int | None
    amount: Decimal | None
    ex_date: date
    effective_at: datetime
    announced_by: str
    announced_at: datetime
    #: Sets of books on which it was carried out so far.
    effects: int


_NEW = text(
    """
    SELECT a.id, a.symbol, a.kind, a.ratio_new, a.ratio_old, a.amount, a.effective_at,
           a.number, i.tick_size, i.lot_size
      FROM corporate_actions a JOIN instruments i ON i.symbol = a.symbol
     WHERE a.number > :seen ORDER BY a.number
    """
)
_ANNOUNCED = """
    SELECT a.*, (SELECT count(*) FROM corporate_action_effects e
                  WHERE e.action_id = a.id) AS effects
      FROM corporate_actions a
"""
_INSERT = text(
    """
    INSERT INTO corporate_actions
           (id, symbol, kind, ratio_new, ratio_old, amount, ex_date, effective_at, announced_by)
    VALUES (:id, :symbol, :kind, :ratio_new, :ratio_old, :amount, :ex_date, :effective_at,
            :announced_by)
    """
)


#: In the order of their ids, as the workers write them: nobody waits for each other in a ring.
_PAUSE = text(
    """
    UPDATE deployments SET wanted = 'paused', last_error = :why, updated_at = now()
     WHERE id IN (SELECT id FROM deployments
                   WHERE account_id = :account_id AND mode = :mode
                     AND jsonb_exists(symbols, :symbol)
                     AND wanted = 'running' AND status <> 'stopped'
                   ORDER BY id FOR UPDATE)
    """
)


class Known(msgspec.Struct, frozen=True):
    """All actions up to a number. They never change, and become visible in order of it."""

    number: int = 0
    actions: tuple[CorporateAction, ...] = ()


def read_actions(connection: Connection, known: Known) -> Known:
    """`known` itself when none was announced since."""
    rows = connection.execute(_NEW, {"seen": known.number}).all()
    if not rows:
        return known
    return Known(rows[-1].number, known.actions + tuple(_action(row) for row in rows))


def _action(row: Row[Any]) -> CorporateAction:
    terms = Dividend(plain(row.amount)) if row.amount else Split(row.ratio_new, row.ratio_old)
    return CorporateAction(
        row.id,
        Symbol(row.symbol),
        terms,
        row.effective_at,
        plain(row.tick_size),
        plain(row.lot_size),
    )


def announce(connection: Connection, action: dict[str, Any]) -> None:
    """The caller has looked for one like it, behind the same lock."""
    connection.execute(_INSERT, action)


def lock(connection: Connection) -> None:
    """One announcement at a time: numbers become visible in their order."""
    connection.execute(text("LOCK TABLE corporate_actions IN SHARE ROW EXCLUSIVE MODE"))


def announced(connection: Connection, action_id: UUID) -> Announced | None:
    row = connection.execute(text(f"{_ANNOUNCED} WHERE a.id = :id"), {"id": action_id}).first()
    return None if row is None else _announced(row)


def like(connection: Connection, symbol: str, kind: str, ex_date: date) -> Announced | None:
    row = connection.execute(
        text(f"{_ANNOUNCED} WHERE a.symbol = :symbol AND a.kind = :kind AND a.ex_date = :ex_date"),
        {"symbol": symbol, "kind": kind, "ex_date": ex_date},
    ).first()
    return None if row is None else _announced(row)


def newest(connection: Connection, before: int | None, most: int) -> list[tuple[int, Announced]]:
    """With their numbers, those under `before`."""
    rows = connection.execute(
        text(
            f"{_ANNOUNCED} WHERE CAST(:before AS bigint) IS NULL OR a.number < :before"
            " ORDER BY a.number DESC LIMIT :most"
        ),
        {"before": before, "most": most},
    )
    return [(row.number, _announced(row)) for row in rows]


def _announced(row: Row[Any]) -> Announced:
    return Announced(
        row.id,
        row.symbol,
        row.kind,
        row.ratio_new,
        row.ratio_old,
        None if row.amount is None else plain(row.amount),
        row.ex_date,
        row.effective_at,
        row.announced_by,
        row.announced_at,
        row.effects,
    )


def exchange_of(connection: Connection, symbol: str) -> str | None:
    exchange: str | None = connection.execute(
        text("SELECT exchange FROM instruments WHERE symbol = :symbol"), {"symbol": symbol}
    ).scalar()
    return exchange


def pause_split(connection: Connection, pauses: Mapping[tuple[UUID, Mode, Symbol], str]) -> None:
    for (account_id, mode, symbol), why in sorted(pauses.items()):
        connection.execute(
            _PAUSE, {"account_id": account_id, "mode": mode, "symbol": symbol, "why": why}
        )


def effects_of(connection: Connection, account_ids: Iterable[UUID]) -> Effects:
    effects: Effects = {}
    for row in connection.execute(
        text(
            "SELECT account_id, mode, action_id FROM corporate_action_effects"
            " WHERE account_id = ANY(:ids)"
        ),
        {"ids": list(account_ids)},
    ):
        effects.setdefault((row.account_id, row.mode), set()).add(row.action_id)
    return effects
