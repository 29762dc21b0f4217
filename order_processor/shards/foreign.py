"""What books hold in other currencies than their account's, as it is stored."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from order_processor.shards.state import BooksKey, StoredBooks
from shared.models.identifiers import Symbol
from shared.trading.amounts import plain
from shared.trading.books import ForeignCash

_CASH = text("SELECT * FROM foreign_cash WHERE account_id = ANY(:ids)")
_CURRENCIES = text("SELECT symbol, currency FROM instruments WHERE symbol = ANY(:symbols)")
_ENTERED = text(
    """
    SELECT coalesce(sum(round(amount * coalesce(rate, 1), 12)), 0) FROM ledger_entries
     WHERE account_id = :id AND mode = :mode AND execution_id IS NULL
       AND kind NOT IN ('fx', 'cash_in_lieu')
    """
)


def load_foreign(connection: Connection, loaded: Mapping[BooksKey, StoredBooks]) -> None:
    """Into books whose positions are loaded. Those in one currency have nothing of it."""
    abroad: dict[BooksKey, StoredBooks] = {}
    for row in connection.execute(_CASH, {"ids": [account_id for account_id, _ in loaded]}):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            abroad[row.account_id, row.mode] = stored
            held = ForeignCash(plain(row.balance), plain(row.rate))
            stored.state.foreign_cash[row.currency] = held
    if not abroad:
        return
    symbols = {each.symbol for stored in abroad.values() for each in stored.state.holdings}
    rows = connection.execute(_CURRENCIES, {"symbols": list(symbols)})
    currencies = {Symbol(row.symbol): row.currency for row in rows}
    for (account_id, mode), stored in abroad.items():
        state, base = stored.state, stored.account.base_currency
        for holding in state.holdings:
            currency = currencies.get(holding.symbol, base)
            if currency != base:
                state.foreign[holding.symbol] = currency
        entered = connection.execute(_ENTERED, {"id": account_id, "mode": mode}).scalar_one()
        state.entered = plain(entered)
