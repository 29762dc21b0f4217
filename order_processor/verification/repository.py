"""Reading the books for a check, and storing what it found."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, Row, text

from order_processor.verification.differences import MOST_KEPT, BooksCheck, Difference
from order_processor.verification.queries import CHECKS
from order_processor.verification.rebuild import (
    Converted,
    Executed,
    Happened,
    Position,
    Rebuilt,
    shown,
    units,
)
from shared.models.identifiers import Mode

_EXECUTIONS = text(
    """
    SELECT id, symbol, coalesce(deployment_id::text, 'manual') AS owner,
           CASE side WHEN 'buy' THEN qty ELSE -qty END AS qty, price, fee, realized_pnl
      FROM executions WHERE account_id = :account_id AND mode = :mode ORDER BY seq
    """
)
_POSITIONS = text(
    """
    SELECT symbol, qty, cost, avg_price, realized_pnl, fees FROM positions
     WHERE account_id = :account_id AND mode = :mode
    """
)
_STRATEGY_POSITIONS = text(
    """
    SELECT symbol, owner, qty, cost, avg_price, realized_pnl, fees FROM strategy_positions
     WHERE account_id = :account_id AND mode = :mode
    """
)
_LOTS = text("SELECT seq, symbol, qty FROM lots WHERE account_id = :account_id AND mode = :mode")
_HAPPENED = text(
    """
    SELECT a.id, a.symbol, e.execution_seq, a.ratio_new, a.ratio_old, a.amount, e.unit, e.price,
           a.effective_at AS at, e.recorded_at
      FROM corporate_action_effects e JOIN corporate_actions a ON a.id = e.action_id
     WHERE e.account_id = :account_id AND e.mode = :mode
     ORDER BY e.execution_seq, a.effective_at, a.kind, a.number
    """
)
_CONVERTED = text(
    """
    SELECT symbol, execution_seq, coalesce(from_deployment_id::text, 'manual') AS giver,
           coalesce(to_deployment_id::text, 'manual') AS taker, qty, at, recorded_at
      FROM position_conversions WHERE account_id = :account_id AND mode = :mode ORDER BY number
    """
)
#: The name of their entry ends with the action's id.
_PAYMENTS = text(
    """
    SELECT split_part(client_entry_id, ' ', 2) AS id, amount FROM ledger_entries
     WHERE account_id = :account_id AND mode = :mode AND kind IN ('dividend', 'cash_in_lieu')
    """
)
_ROWS_AT_ONCE = 5000
#: In one set of books: it is wrong throughout then.
_MOST_FOUND = 10_000


class BooksReader:
    """Each set of books is read at one moment, while trading goes on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")

    def keys(self, account_id: UUID | None) -> list[tuple[UUID, Mode]]:
        """Books that hold anything; of one account, or of all."""
        chosen = "" if account_id is None else "WHERE account_id = :id"
        tables = ("ledger_entries", "orders", "executions", "positions")
        query = " UNION ".join(
            f"SELECT account_id, mode FROM {table} {chosen}"  # noqa: S608 - constants
            for table in tables
        )
        with self._engine.connect() as connection:
            rows = connection.execute(text(f"{query} ORDER BY 1, 2"), {"id": account_id})
            return [(row.account_id, row.mode) for row in rows]

    def check(self, account_id: UUID, mode: Mode) -> tuple[list[Difference], int]:
        """What doesn't hold of one set of books, and how many executions they have."""
        books = {"account_id": account_id, "mode": mode}
        with self._engine.connect() as connection:
            rebuilt = Rebuilt()
            rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(_EXECUTIONS, books)
            rebuilt.take(map(_executed, rows), _between(connection, books))
            found = chain(
                *(_differing(connection, name, books) for name in CHECKS),
                _wrong_profits(rebuilt),
                _wrong_positions(connection, rebuilt, books),
                _wrong_lots(connection, rebuilt, books),
                _wrong_payments(connection, rebuilt, books),
            )
            differences = [
                Difference(account_id, mode, *each) for each in islice(found, _MOST_FOUND)
            ]
        return differences, rebuilt.executions


def _executed(row: Row[Any]) -> Executed:
    return Executed(
        str(row.id),
        row.symbol,
        row.owner,
        units(row.qty),
        units(row.price),
        units(row.fee),
        units(row.realized_pnl),
    )


def _between(connection: Connection, books: dict[str, Any]) -> list[Happened | Converted]:
    """What happened between executions. A conversion comes before the splits that were stored
    later: market time may have gone back meanwhile, in another run."""
    rows = connection.execute(_HAPPENED, books).all()
    happened: list[tuple[Row[Any], Happened | Converted]] = [(row, _happened(row)) for row in rows]
    for row in connection.execute(_CONVERTED, books):
        place = next(
            (
                place
                for place, (other, what) in enumerate(happened)
                if other.execution_seq > row.execution_seq
                or (
                    other.execution_seq == row.execution_seq
                    and isinstance(what, Happened)
                    and what.new
                    and (other.recorded_at, other.at) > (row.recorded_at, row.at)
                )
            ),
            len(happened),
        )
        happened.insert(place, (row, _converted(row)))
    return [what for _, what in happened]


def _converted(row: Row[Any]) -> Converted:
    return Converted(row.symbol, row.execution_seq, row.giver, row.taker, units(row.qty))


def _happened(row: Row[Any]) -> Happened:
    return Happened(
        str(row.id),
        row.symbol,
        row.execution_seq,
        row.ratio_new or 0,
        row.ratio_old or 0,
        units(row.amount or Decimal(0)),
        units(row.unit),
        units(row.price or Decimal(0)),
    )


#: (check, item, expected, found).
_Found = tuple[str, str, str, str]


def _differing(connection: Connection, name: str, books: dict[str, Any]) -> Iterator[_Found]:
    for item, expected, found in connection.execute(CHECKS[name], books):
        yield name, item, expected, found


def _wrong_profits(rebuilt: Rebuilt) -> Iterator[_Found]:
    for execution, realized, said in rebuilt.wrong_profits:
        yield "realized_pnl", execution, shown(realized), shown(said)


def _wrong_positions(
    connection: Connection, rebuilt: Rebuilt, books: dict[str, Any]
) -> Iterator[_Found]:
    net = {row.symbol: row[1:] for row in connection.execute(_POSITIONS, books)}
    yield from _compared("positions", rebuilt.positions, net)
    owned = {
        f"{row.symbol} of {row.owner}": row[2:]
        for row in connection.execute(_STRATEGY_POSITIONS, books)
    }
    expected = {f"{symbol} of {owner}": each for (symbol, owner), each in rebuilt.owned.items()}
    yield from _compared("strategy_positions", expected, owned)


def _compared(
    check: str, rebuilt: Mapping[str, Position], stored: Mapping[str, Sequence[Decimal]]
) -> Iterator[_Found]:
    for item in sorted(rebuilt.keys() | stored.keys()):
        position, amounts = rebuilt.get(item), stored.get(item)
        expected = found = "none"
        if position is not None:
            told = (position.qty, position.cost, position.average())
            expected = _told(*told, position.realized, position.fees)
        if amounts is not None:
            found = _told(*map(units, amounts))
        if expected != found:
            yield check, item, expected, found


def _wrong_lots(
    connection: Connection, rebuilt: Rebuilt, books: dict[str, Any]
) -> Iterator[_Found]:
    stored = {
        row.seq: f"{shown(units(row.qty))} {row.symbol}" for row in connection.execute(_LOTS, books)
    }
    expected = {seq: f"{shown(qty)} {symbol}" for seq, (symbol, qty) in rebuilt.lots.items()}
    for seq in sorted(expected.keys() | stored.keys()):
        told, found = expected.get(seq, "none"), stored.get(seq, "none")
        if told != found:
            yield "lots", str(seq), told, found


def _wrong_payments(
    connection: Connection, rebuilt: Rebuilt, books: dict[str, Any]
) -> Iterator[_Found]:
    stored = {row.id: units(row.amount) for row in connection.execute(_PAYMENTS, books)}
    for action in sorted(rebuilt.paid.keys() | stored.keys()):
        expected, found = rebuilt.paid.get(action, 0), stored.get(action, 0)
        if expected != found:
            yield "corporate_actions", action, shown(expected), shown(found)


def _told(qty: int, cost: int, average: int, realized: int, fees: int) -> str:
    return (
        f"{shown(qty)} for {shown(cost)} at {shown(average)},"
        f" realised {shown(realized)}, fees {shown(fees)}"
    )


# --- the checks themselves ---------------------------------------------------------------------

_BEGIN = text(
    """
    INSERT INTO books_checks (id, night, status, requested_by, account_id, started_at, updated_at,
                              books, executions, differences, details)
    VALUES (gen_random_uuid(), :night, 'running', :requested_by, :account_id, now(), now(),
            0, 0, 0, '[]')
    ON CONFLICT (night) DO UPDATE SET started_at = now(), updated_at = now()
          WHERE books_checks.status = 'running' AND books_checks.updated_at < now() - :silence
    RETURNING id
    """
)
_PROGRESS = text(
    """
    UPDATE books_checks
       SET status = :status, updated_at = now(), books = :books, executions = :executions,
           differences = :differences, details = CAST(:details AS jsonb), error = :error,
           finished_at = CASE WHEN :status = 'running' THEN NULL ELSE now() END
     WHERE id = :id
    """
)
_ONE = "SELECT * FROM books_checks"
#: A check that said nothing for so long has died with its process.
SILENCE = timedelta(minutes=10)


class ChecksTable:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, requested_by: str, account_id: UUID | None, night: date | None = None
    ) -> UUID | None:
        """None when this night's check is under way elsewhere, or done."""
        values = {"night": night, "requested_by": requested_by, "account_id": account_id}
        with self._engine.begin() as connection:
            return connection.execute(_BEGIN, values | {"silence": SILENCE}).scalar()

    def write(
        self,
        check_id: UUID,
        status: str,
        *,
        books: int,
        executions: int,
        differences: int,
        details: list[Difference],
        error: str | None = None,
    ) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                _PROGRESS,
                {
                    "id": check_id,
                    "status": status,
                    "books": books,
                    "executions": executions,
                    "differences": differences,
                    "details": msgspec.json.encode(details[:MOST_KEPT]).decode(),
                    "error": error,
                },
            )

    def get(self, check_id: UUID) -> BooksCheck | None:
        return self._read(f"{_ONE} WHERE id = :id", {"id": check_id})

    def last(self) -> BooksCheck | None:
        return self._read(f"{_ONE} ORDER BY started_at DESC LIMIT 1", {})

    def _read(self, query: str, values: dict[str, Any]) -> BooksCheck | None:
        with self._engine.connect() as connection:
            row = connection.execute(text(query), values).one_or_none()
            now = connection.execute(text("SELECT now()")).scalar_one()
        if row is None:
            return None
        died = row.status == "running" and row.updated_at < now - SILENCE
        return BooksCheck(
            id=row.id,
            status="failed" if died else row.status,
            requested_by=row.requested_by,
            account_id=row.account_id,
            started_at=row.started_at,
            finished_at=row.finished_at,
            books=row.books,
            executions=row.executions,
            differences=row.differences,
            details=msgspec.convert(row.details, list[Difference]),
            error="Its process died." if died else row.error,
        )
