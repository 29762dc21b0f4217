"""Reading back what a shard's memory is built from."""

from sqlalchemy import Connection, text

from order_processor.corporate_actions.repository import looks_of
from order_processor.risk.repository import halt_done
from order_processor.shards.clock import nanoseconds
from order_processor.shards.state import Cursors, LastPrice, LastQuote, LastSeen, StoredShard
from order_processor.shards.stored_books import WORKING_STATUS, load_books
from shared.models.identifiers import Symbol
from shared.redis.keys import shard_of
from shared.redis.streams import BEGINNING, position
from shared.trading.halts import HaltState
from shared.trading.quotes import Quote


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
    last_seen = LastSeen(
        last_prices(connection, shard), _last_quotes(connection, shard), _halts(connection, shard)
    )
    at_stake = connection.execute(
        text(
            f"SELECT account_id, mode FROM orders WHERE {WORKING_STATUS}"  # noqa: S608
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
    looks = looks_of(connection, shard)
    return StoredShard(Cursors(*row), last_seen, books, halt_done(connection, shard), looks)


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
    for table in ("order_shard_marks", "order_shard_quotes", "order_shard_symbol_halts"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE shard = :shard"),  # noqa: S608
            {"shard": shard},
        )


def _halts(connection: Connection, shard: int) -> dict[Symbol, HaltState]:
    rows = connection.execute(
        text("SELECT symbol, state FROM order_shard_symbol_halts WHERE shard = :shard"),
        {"shard": shard},
    )
    return {Symbol(symbol): state for symbol, state in rows}


def last_prices(connection: Connection, shard: int) -> dict[Symbol, LastPrice]:
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
