"""What commands name and memory does not have."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from order_processor.position_conversions.repository import find_conversions, find_owners
from order_processor.shards.rows import ledger_entry_of, order_of
from order_processor.shards.state import BooksKey, LastSeen, Lookup, Unknowns
from order_processor.shards.stored_books import load_accounts, load_books
from shared.models.cash import LedgerEntry
from shared.models.identifiers import Symbol
from shared.models.orders import Order
from shared.trading.amounts import plain
from shared.trading.terms import Instrument


def look_up(connection: Connection, unknown: Unknowns, last_seen: LastSeen) -> Lookup:
    return Lookup(
        books=load_books(connection, unknown.books, last_seen),
        accounts=list(load_accounts(connection, unknown.accounts).values()),
        orders=_orders(connection, unknown.orders),
        instruments=_instruments(connection, unknown.symbols),
        entries=_entries(connection, unknown.entries),
        deployments=_deployments(connection, unknown.deployments),
        owners=find_owners(connection, unknown.owners),
        conversions=find_conversions(connection, unknown.conversions),
    )


def _orders(connection: Connection, ids: set[UUID]) -> list[Order]:
    if not ids:
        return []
    # Most don't exist yet. One text is adapted faster than a thousand ids.
    wanted = f"{{{','.join(map(str, ids))}}}"
    return [order_of(row) for row in connection.execute(_ORDERS, {"ids": wanted})]


_ORDERS = text("SELECT * FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))")


def _instruments(connection: Connection, symbols: set[Symbol]) -> list[Instrument]:
    if not symbols:
        return []
    rows = connection.execute(
        text(
            "SELECT symbol, exchange, currency, tick_size, lot_size, tradable, shortable,"
            " borrow_fee_bps"
            " FROM instruments WHERE symbol = ANY(:symbols)"
        ),
        {"symbols": list(symbols)},
    )
    return [
        Instrument(
            symbol=row.symbol,
            exchange=row.exchange,
            currency=row.currency,
            tick_size=plain(row.tick_size),
            lot_size=plain(row.lot_size),
            tradable=row.tradable,
            shortable=row.shortable,
            borrow_fee_bps=plain(row.borrow_fee_bps),
        )
        for row in rows
    ]


def _deployments(connection: Connection, ids: set[UUID]) -> dict[UUID, datetime]:
    if not ids:
        return {}
    rows = connection.execute(
        text("SELECT id, created_at FROM deployments WHERE id = ANY(:ids)"), {"ids": list(ids)}
    )
    return {row.id: row.created_at for row in rows}


def _entries(
    connection: Connection, names: set[tuple[BooksKey, str]]
) -> dict[tuple[BooksKey, str], LedgerEntry]:
    if not names:
        return {}
    rows = connection.execute(
        text(
            "SELECT * FROM ledger_entries WHERE client_entry_id = ANY(:names)"
            " AND account_id = ANY(:ids)"
        ),
        {"names": [name for _, name in names], "ids": [key[0] for key, _ in names]},
    )
    found = {
        ((row.account_id, row.mode), row.client_entry_id): ledger_entry_of(row) for row in rows
    }
    return {name: entry for name, entry in found.items() if name in names}
