"""Books whose worth the tables' plain sums don't tell: of margin accounts, and of those that hold
something in another currency than their own."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, text

from order_processor.shards.clock import moment, wall_clock
from order_processor.shards.fx import newest_rates, rates_of
from order_processor.shards.state import BooksKey, LastPrice, LastSeen
from order_processor.shards.stored_books import load_books
from shared.models.identifiers import Symbol
from shared.trading.amounts import measured
from shared.trading.books import Books
from shared.trading.terms import Limits

_NEEDED = text(
    """
    SELECT margin_terms IS NOT NULL
           OR EXISTS (SELECT FROM foreign_cash WHERE account_id = :id AND mode = :mode)
      FROM accounts WHERE id = :id
    """
)
_MARKET_TIME = text("SELECT market_time_ns FROM order_shards WHERE shard = :shard")


def books_to_value(
    connection: Connection, shard: int, key: BooksKey, prices: Mapping[Symbol, LastPrice]
) -> Books | None:
    """As they were committed last; None where sums are enough, and books needn't be loaded."""
    account_id, mode = key
    if not connection.execute(_NEEDED, {"id": account_id, "mode": mode}).scalar():
        return None
    now = _market_time(connection, shard)
    [stored] = load_books(connection, [key], LastSeen())
    rate_of = rates_of(prices, lambda: now, newest_rates(connection, now))

    def price_of(symbol: Symbol) -> Decimal | None:
        last = prices.get(symbol)
        return None if last is None else measured(last.price)

    return Books(stored.account, stored.mode, Limits(), stored.state, price_of, rate_of)


def _market_time(connection: Connection, shard: int) -> datetime:
    at_ns = connection.execute(_MARKET_TIME, {"shard": shard}).scalar()
    return moment(at_ns) if at_ns else wall_clock()
