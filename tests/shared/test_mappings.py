"""Names of symbols at brokers and providers, and who learns that one is missing."""

import pytest
from sqlalchemy import Engine, text

from shared.mappings import NoNameError, name_at, symbols_at

_INSTRUMENT = text(
    "INSERT INTO instruments (symbol, name, exchange, currency, tick_size, lot_size, tradable,"
    " shortable, borrow_fee_bps, created_at)"
    " VALUES (:symbol, :symbol, :exchange, 'USD', 0.01, 1, true, true, 0, now())"
)
_USER = text(
    "INSERT INTO users (id, email, username, password_hash, role, status, created_at)"
    " VALUES (gen_random_uuid(), :name, :name, 'x', :role, 'active', now())"
)
_MAPPED = text(
    "INSERT INTO symbol_mappings (party, symbol, token, updated_by, updated_at)"
    " VALUES ('yahoo', :symbol, :token, 'user:1', now())"
)


@pytest.fixture
def world(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for symbol, exchange in (
            ("SPY", "XNYS"), ("BTC/USDT", "24/7"), ("A.NSE", "XNSE"), ("B.NSE", "XNSE"),
        ):  # fmt: skip
            connection.execute(_INSTRUMENT, {"symbol": symbol, "exchange": exchange})
        for name, role in (("root", "admin"), ("ada", "trader")):
            connection.execute(_USER, {"name": name, "role": role})
    return engine


def notified(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT u.username, n.context->>'symbol' AS symbol FROM notifications n"
                " JOIN users u ON u.id = n.user_id WHERE n.code = 'symbol_mapping_missing'"
                " ORDER BY n.id"
            )
        )
        return [(row.username, row.symbol) for row in rows]


def test_a_mapped_symbol_has_its_name_and_one_of_a_shared_market_its_own(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(_MAPPED, {"symbol": "A.NSE", "token": "A.NS"})
    assert name_at(world, "yahoo", "A.NSE") == "A.NS"
    assert [name_at(world, "yahoo", one) for one in ("SPY", "BTC/USDT", "NEW")] == [None] * 3
    assert symbols_at(world, "yahoo") == {"A.NS": "A.NSE"}
    assert notified(world) == []


def test_admins_learn_once_that_names_of_an_exchange_are_missing(world: Engine) -> None:
    for symbol in ("A.NSE", "A.NSE", "B.NSE", "A.NSE"):
        with pytest.raises(NoNameError, match="yahoo has no name for"):
            name_at(world, "yahoo", symbol)
    assert notified(world) == [("root", "A.NSE")]
    with pytest.raises(NoNameError):
        name_at(world, "alpaca", "B.NSE")
    assert notified(world) == [("root", "A.NSE"), ("root", "B.NSE")]
