"""What a symbol is called at a broker or a provider of data, read from Postgres. Blocking.

Where the platform's own names are the market's (US equities, currencies, markets around the clock)
a symbol needs no mapping. Elsewhere it does: an order or a question under a guessed name could be
one for another instrument.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from shared.calendars import ALWAYS_OPEN, CURRENCIES

#: Exchanges whose symbols brokers and providers write as we do.
SHARED_NAMES: Final = frozenset({"XNYS", "XNAS", "ARCX", ALWAYS_OPEN, CURRENCIES})

_FIND = text(
    """
    SELECT i.exchange, m.token
      FROM (SELECT CAST(:symbol AS text) AS symbol) s
      LEFT JOIN instruments i USING (symbol)
      LEFT JOIN symbol_mappings m ON m.symbol = s.symbol AND m.party = :party
    """
)
_ALL = text("SELECT token, symbol FROM symbol_mappings WHERE party = :party")
_MISS = text(
    """
    INSERT INTO missing_symbol_mappings (party, symbol, exchange, first_at)
    VALUES (:party, :symbol, :exchange, :at)
    ON CONFLICT DO NOTHING RETURNING symbol
    """
)
#: The first of an exchange tells of all: hundreds of notifications would hide each other.
_OTHERS = text(
    "SELECT 1 FROM missing_symbol_mappings"
    " WHERE party = :party AND exchange = :exchange AND symbol <> :symbol LIMIT 1"
)
_TELL = text(
    """
    INSERT INTO notifications (user_id, severity, code, text, context)
    SELECT id, 'warning', 'symbol_mapping_missing', :text,
           jsonb_build_object('party', CAST(:party AS text), 'symbol', CAST(:symbol AS text),
                              'exchange', CAST(:exchange AS text))
      FROM users WHERE role = 'admin'
    """
)


class NoNameError(Exception):
    """The symbol has no name there, and none can be guessed. Admins have been told, once."""


def name_at(engine: Engine, party: str, symbol: str) -> str | None:
    """What was mapped; None when it is called there as here. Raises NoNameError."""
    with engine.begin() as connection:
        found = connection.execute(_FIND, {"party": party, "symbol": symbol}).one()
        if found.token is not None:
            return str(found.token)
        if found.exchange is None or found.exchange in SHARED_NAMES:
            return None
        _note_missing(connection, party, symbol, found.exchange)
    raise NoNameError(f"{party} has no name for {symbol}: it has to be mapped.")


def symbols_at(engine: Engine, party: str) -> dict[str, str]:
    """Its names → our symbols, of all that are mapped."""
    with engine.connect() as connection:
        return {row.token: row.symbol for row in connection.execute(_ALL, {"party": party})}


def _note_missing(connection: Connection, party: str, symbol: str, exchange: str) -> None:
    named = {"party": party, "symbol": symbol, "exchange": exchange}
    if connection.execute(_MISS, {**named, "at": datetime.now(UTC)}).first() is None:
        return
    if connection.execute(_OTHERS, named).first() is None:
        told = (
            f"{party} has no name for {symbol} of {exchange}. It is asked for no such symbol"
            " before it is mapped."
        )
        connection.execute(_TELL, {**named, "text": told})
