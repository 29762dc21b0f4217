"""The catalogue of instruments."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine

from market_data_engine.instruments import repository
from market_data_engine.instruments.schemas import Instrument, InstrumentList
from shared.calendars import ALWAYS_OPEN

#: The exchange of a symbol that a file brings and nobody has described yet.
DEFAULT_EXCHANGE = "XNYS"

SEEDED = (
    Instrument(symbol="SPY", name="SPDR S&P 500 ETF Trust", exchange="XNYS"),
    Instrument(symbol="QQQ", name="Invesco QQQ Trust", exchange="XNYS"),
    Instrument(symbol="IBM", name="International Business Machines", exchange="XNYS"),
    Instrument(symbol="BAC", name="Bank of America", exchange="XNYS"),
    Instrument(symbol="AAPL", name="Apple", exchange="XNYS"),
    Instrument(symbol="SIM-TREND", name="Synthetic market that trends", exchange=ALWAYS_OPEN),
    Instrument(symbol="SIM-RANGE", name="Synthetic market in a range", exchange=ALWAYS_OPEN),
)


def add_symbols(connection: Connection, symbols: Iterable[str], exchange: str) -> None:
    """Symbols that nobody has described yet, in the caller's transaction."""
    repository.add_unknown(
        connection,
        [Instrument(symbol=symbol, name=symbol, exchange=exchange) for symbol in symbols],
    )


class Instruments:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def seed(self) -> None:
        """Repeating it changes nothing, also not what somebody has edited since."""
        with self._engine.begin() as connection:
            repository.add_unknown(connection, SEEDED)

    def find(self, symbol: str) -> Instrument | None:
        with self._engine.connect() as connection:
            return repository.find(connection, symbol)

    def search(self, query: str, cursor: str, limit: int) -> InstrumentList:
        with self._engine.connect() as connection:
            found = repository.search(connection, query, cursor, limit + 1)
        more = len(found) > limit
        items = found[:limit]
        return InstrumentList(items=items, next_cursor=items[-1].symbol if more else None)

    def make_known(self, symbols: Sequence[str]) -> None:
        """Those that nobody has described yet; they trade at the default exchange."""
        with self._engine.begin() as connection:
            add_symbols(connection, symbols, DEFAULT_EXCHANGE)

    def exchanges(self, symbols: Sequence[str]) -> dict[str, str]:
        with self._engine.connect() as connection:
            return repository.exchanges(connection, symbols)
