"""Reading back what a shard's memory is built from."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from order_processor.risk.repository import halt_done, risk_states
from order_processor.shards.batch import BY_HAND
from order_processor.shards.clock import nanoseconds
from order_processor.shards.state import (
    BooksKey,
    Cursors,
    LastPrice,
    LastQuote,
    LastSeen,
    Lookup,
    StoredBooks,
    StoredShard,
    Unknowns,
)
from shared.models.cash import LedgerEntry
from shared.models.identifiers import AccountId, OrderId, Symbol
from shared.models.margin import parse_margin_terms
from shared.models.orders import Order
from shared.models.topics import ACCOUNT_TOPIC_KINDS, account_topic
from shared.redis.keys import shard_of
from shared.redis.streams import BEGINNING, position
from shared.trading.amounts import plain
from shared.trading.books import BooksState
from shared.trading.changes import WorkingOrder
from shared.trading.commissions import month_of
from shared.trading.lots import Lot
from shared.trading.paper_terms import parse_paper_terms
from shared.trading.positions import Holding
from shared.trading.quotes import Quote
from shared.trading.terms import AccountTerms, Instrument

_WORKING = "status IN ('new', 'held', 'accepted', 'partially_filled')"


def load_shard(connection: Connection, shard: int, shards: int) -> StoredShard:
    """The shard's row (made when it is new), last prices, and books with something at stake."""
    connection.execute(
        text(
            "INSERT INTO order_shards (shard, command_cursor, tape_cursor, event_seq,"
            " published_seq, market_entry, mark_number, mark_run_id)"
            " VALUES (:shard, '0-0', '0-0', 0, 0, '0-0', 0, '') ON CONFLICT (shard) DO NOTHING"
        ),
        {"shard": shard},
    )
    row = connection.execute(
        text(
            "SELECT command_cursor, tape_cursor, event_seq, published_seq, market_entry,"
            " market_time_ns, mark_number, mark_run_id FROM order_shards WHERE shard = :shard"
        ),
        {"shard": shard},
    ).one()
    last_seen = LastSeen(_last_prices(connection, shard), _last_quotes(connection, shard))
    at_stake = connection.execute(
        text(
            f"SELECT account_id, mode FROM orders WHERE {_WORKING}"  # noqa: S608
            " UNION SELECT account_id, mode FROM positions WHERE qty <> 0"
        )
    )
    keys = [(key.account_id, key.mode) for key in at_stake if shard_of(key[0], shards) == shard]
    books = load_books(connection, keys, last_seen)
    taken_at = [working.tape_id for stored in books for working, _ in stored.state.working]
    newest = max(taken_at, key=position, default=BEGINNING)
    if position(newest) > position(row.tape_cursor):
        _pass_over(connection, shard, newest)
        return load_shard(connection, shard, shards)
    return StoredShard(Cursors(*row), last_seen, books, halt_done(connection, shard))


def _pass_over(connection: Connection, shard: int, entry_id: str) -> None:
    """Begin after a tape entry. Orders that this shard took are never ahead of its cursor, but
    those of accounts that come from another shard (`ORDER_SHARDS` was changed) can be: they must
    not meet prints from before they were taken."""
    connection.execute(
        text(
            "UPDATE order_shards SET tape_cursor = :entry_id, market_entry = :entry_id,"
            " market_time_ns = NULL, mark_number = 0, mark_run_id = '' WHERE shard = :shard"
        ),
        {"shard": shard, "entry_id": entry_id},
    )
    for table in ("order_shard_marks", "order_shard_quotes"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE shard = :shard"),  # noqa: S608
            {"shard": shard},
        )


def _last_prices(connection: Connection, shard: int) -> dict[Symbol, LastPrice]:
    return {
        Symbol(symbol): LastPrice(float(price), nanoseconds(at), tape_id)
        for symbol, price, at, tape_id in connection.execute(
            text("SELECT symbol, price, at, tape_id FROM order_shard_marks WHERE shard = :shard"),
            {"shard": shard},
        )
    }


def _last_quotes(connection: Connection, shard: int) -> dict[Symbol, LastQuote]:
    rows = connection.execute(
        text(
            "SELECT symbol, bid, ask, bid_size, ask_size, at_ns, tape_id"
            " FROM order_shard_quotes WHERE shard = :shard"
        ),
        {"shard": shard},
    )
    quotes = {}
    for symbol, bid, ask, bid_size, ask_size, at_ns, tape_id in rows:
        quote = Quote(bid, ask, bid_size, ask_size, at_ns)
        quotes[Symbol(symbol)] = LastQuote(quote if quote.counts else None, tape_id, at_ns)
    return quotes


def look_up(connection: Connection, unknown: Unknowns, last_seen: LastSeen) -> Lookup:
    return Lookup(
        books=load_books(connection, unknown.books, last_seen),
        accounts=list(_accounts(connection, unknown.accounts).values()),
        orders=_orders(connection, unknown.orders),
        instruments=_instruments(connection, unknown.symbols),
        entries=_entries(connection, unknown.entries),
    )


def unpublished(
    connection: Connection, shard: int, after: int, most: int
) -> list[tuple[int, str, int, bytes]]:
    """Events after number `after`, oldest first: (seq, topic, topic_seq, frame)."""
    rows = connection.execute(
        text(
            "SELECT seq, topic, topic_seq, frame FROM account_events"
            " WHERE shard = :shard AND seq > :after ORDER BY seq LIMIT :most"
        ),
        {"shard": shard, "after": after, "most": most},
    )
    return [(row.seq, row.topic, row.topic_seq, bytes(row.frame)) for row in rows]


def order_of(row: Row[Any]) -> Order:
    """From a row with all columns of `orders`."""
    return Order(
        id=OrderId(row.id),
        account_id=AccountId(row.account_id),
        mode=row.mode,
        client_order_id=row.client_order_id,
        submitted_by=row.submitted_by,
        deployment_id=row.deployment_id,
        symbol=Symbol(row.symbol),
        side=row.side,
        type=row.type,
        time_in_force=row.time_in_force,
        qty=plain(row.qty),
        limit_price=_plain(row.limit_price),
        status=row.status,
        filled_qty=plain(row.filled_qty),
        avg_fill_price=_plain(row.avg_fill_price),
        reason_code=row.reason_code,
        reason=row.reason,
        seq=row.seq,
        submitted_at=row.submitted_at,
        updated_at=row.updated_at,
        stop_price=_plain(row.stop_price),
        trail_price=_plain(row.trail_price),
        trail_percent=_plain(row.trail_percent),
        hwm=_plain(row.hwm),
        queue_ahead=_plain(row.queue_ahead),
        triggered_at=row.triggered_at,
        expires_at=row.expires_at,
        replaces=row.replaces,
        replaced_by=row.replaced_by,
        closes_position=row.closes_position,
        order_class=row.order_class,
        group_id=None if row.group_id is None else OrderId(row.group_id),
        group_role=row.group_role,
        protects_position=row.protects_position,
        notional=_plain(row.notional),
        extended_hours=row.extended_hours,
    )


def _plain(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else plain(amount)


# --- books -------------------------------------------------------------------------------------


def load_books(
    connection: Connection, keys: Iterable[BooksKey], last_seen: LastSeen
) -> list[StoredBooks]:
    """Books of the accounts that exist, as stored; empty ones for those never opened."""
    wanted = sorted(keys)
    accounts = _accounts(connection, {account_id for account_id, _ in wanted})
    loaded = {
        key: StoredBooks(accounts[key[0]], key[1], BooksState(), {})
        for key in wanted
        if key[0] in accounts
    }
    if not loaded:
        return []
    ids = [account_id for account_id, _ in loaded]
    for key in loaded:
        _load_numbers(connection, key, loaded[key])
    for key, risk in risk_states(connection, ids).items():
        if key in loaded:
            loaded[key].state.risk = risk
    for row in connection.execute(
        text("SELECT * FROM positions WHERE account_id = ANY(:ids)"), {"ids": ids}
    ):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            stored.state.holdings.append(_holding(row))
    for row in connection.execute(
        text("SELECT * FROM strategy_positions WHERE account_id = ANY(:ids)"), {"ids": ids}
    ):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            owner = None if row.owner == BY_HAND else UUID(row.owner)
            stored.state.strategy_holdings.append((owner, _holding(row)))
    for row in connection.execute(_OPEN_LOTS, {"ids": ids}):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            stored.state.lots.append(_lot(row))
    for row in connection.execute(_WORKING_ORDERS, {"ids": ids}):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            stored.state.working.append(_working(row, last_seen))
            stored.exchanges[Symbol(row.symbol)] = row.exchange
    return list(loaded.values())


_WORKING_ORDERS = text(
    f"""
    SELECT o.*, i.tick_size, i.lot_size, i.shortable, i.exchange,
           (SELECT max(t.seq) FROM order_transitions t WHERE t.order_id = o.id) AS steps,
           e.executions, e.value, e.fees, b.broker_order_id, b.cancel_wanted
      FROM orders o JOIN instruments i ON i.symbol = o.symbol
      LEFT JOIN broker_orders b ON b.order_id = o.id
      CROSS JOIN LATERAL (
          SELECT count(*) AS executions, coalesce(sum(qty * price), 0) AS value,
                 coalesce(sum(fee), 0) AS fees
            FROM executions WHERE order_id = o.id) e
     WHERE o.account_id = ANY(:ids) AND o.{_WORKING}
     ORDER BY o.account_id, o.mode, o.seq
    """  # noqa: S608
)
_OPEN_LOTS = text(
    """
    SELECT * FROM lots WHERE account_id = ANY(:ids) AND qty <> 0 ORDER BY account_id, mode, seq
    """
)
_NUMBERS = text(
    """
    SELECT coalesce((SELECT max(seq) FROM orders WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT max(seq) FROM executions WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT max(seq) FROM lots WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT max(seq) FROM ledger_entries
                      WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT balance FROM ledger_entries
                      WHERE account_id = :id AND mode = :mode ORDER BY seq DESC LIMIT 1), 0)
    """
)
#: Value of the latest executions up to the first one of another month.
_MONTH_VALUE = text(
    """
    WITH newest AS (
        SELECT at FROM executions WHERE account_id = :id AND mode = :mode ORDER BY seq DESC LIMIT 1)
    SELECT newest.at, (
        SELECT sum(e.qty * e.price) FROM executions e
         WHERE e.account_id = :id AND e.mode = :mode AND e.seq > coalesce((
            SELECT max(o.seq) FROM executions o
             WHERE o.account_id = :id AND o.mode = :mode
               AND date_trunc('month', o.at, 'UTC') <> date_trunc('month', newest.at, 'UTC')), 0))
      FROM newest
    """
)
_TOPIC_SEQS = text(
    """
    SELECT topic, (SELECT max(e.topic_seq) FROM account_events e WHERE e.topic = t.topic)
      FROM unnest(:topics) AS t (topic)
    """
)


def _load_numbers(connection: Connection, key: BooksKey, stored: StoredBooks) -> None:
    account_id, mode = key
    state = stored.state
    numbers = connection.execute(_NUMBERS, {"id": account_id, "mode": mode}).one()
    state.order_seq, state.execution_seq, state.lot_seq, state.ledger_seq, cash = numbers
    state.cash = plain(Decimal(cash))
    month = connection.execute(_MONTH_VALUE, {"id": account_id, "mode": mode}).one_or_none()
    if month is not None:
        state.month, state.month_value = month_of(month[0]), plain(month[1])
    topics = [account_topic(account_id, mode, kind) for kind in ACCOUNT_TOPIC_KINDS]
    stored.topic_seqs.update(
        {
            topic: last
            for topic, last in connection.execute(_TOPIC_SEQS, {"topics": topics})
            if last is not None
        }
    )


def _holding(row: Row[Any]) -> Holding:
    return Holding(
        symbol=Symbol(row.symbol),
        qty=plain(row.qty),
        cost=plain(row.cost),
        realized_pnl=plain(row.realized_pnl),
        fees=plain(row.fees),
        updated_at=row.updated_at,
    )


def _lot(row: Row[Any]) -> Lot:
    return Lot(
        seq=row.seq,
        symbol=Symbol(row.symbol),
        qty=plain(row.qty),
        cost=plain(row.cost),
        opened_qty=plain(row.opened_qty),
        price=plain(row.price),
        opened_by=row.opened_by,
        opened_at=row.opened_at,
    )


def _working(row: Row[Any], last_seen: LastSeen) -> tuple[WorkingOrder, bool]:
    """A working order, and whether it still waits for its first print: no print, nor a quote that
    counts, of the run that is under way came after it reached the market."""
    working = WorkingOrder(
        order=order_of(row),
        tick=plain(row.tick_size),
        lot=plain(row.lot_size),
        terms=parse_paper_terms(row.paper_terms),
        reserved=plain(row.reserved),
        tape_id=row.tape_id,
        steps=row.steps or 0,
        executions=row.executions,
        shortable=row.shortable,
        value=plain(row.value),
        fees=plain(row.fees),
        commission=plain(row.commission),
        broker_order_id=row.broker_order_id,
        cancel_wanted=bool(row.cancel_wanted),
    )
    return working, not last_seen.met_by(working)


# --- what commands name ------------------------------------------------------------------------


def _accounts(connection: Connection, ids: set[UUID]) -> dict[UUID, AccountTerms]:
    if not ids:
        return {}
    rows = connection.execute(
        text(
            "SELECT id, owner_id, status, base_currency, paper_capital, paper_terms, margin_terms"
            " FROM accounts WHERE id = ANY(:ids)"
        ),
        {"ids": list(ids)},
    )
    return {
        row.id: AccountTerms(
            id=row.id,
            status=row.status,
            base_currency=row.base_currency,
            paper_capital=plain(row.paper_capital),
            paper=parse_paper_terms(row.paper_terms),
            owner_id=row.owner_id,
            margin=parse_margin_terms(row.margin_terms),
        )
        for row in rows
    }


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


def ledger_entry_of(row: Row[Any]) -> LedgerEntry:
    """From a row with all columns of `ledger_entries`."""
    return LedgerEntry(
        seq=row.seq,
        kind=row.kind,
        amount=plain(row.amount),
        currency=row.currency,
        balance=plain(row.balance),
        execution_id=row.execution_id,
        at=row.at,
        client_entry_id=row.client_entry_id,
        submitted_by=row.submitted_by,
        reason=row.reason,
        transfer_id=row.transfer_id,
        counterpart_id=row.counterpart_id,
    )
