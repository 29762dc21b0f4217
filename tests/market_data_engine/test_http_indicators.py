"""The HTTP interface: indicators and instruments."""

import pytest

from tests.market_data_engine.asking import get, ran
from tests.market_data_engine.conftest import Engine, Participant

# --- indicators ----------------------------------------------------------------------------------


async def test_indicators_are_calculated_over_the_candles_asked_for(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    closes = [item["close"] for item in (await get(running, "/candles/SIM-TREND"))["items"]]
    page = await get(running, "/indicators/sma/SIM-TREND", period=5)
    assert (page["name"], page["symbol"], page["timeframe"]) == ("SMA", "SIM-TREND", "1m")
    values = [item["value"] for item in page["items"]]
    assert values[:4] == [None] * 4
    assert values[4:] == pytest.approx([sum(closes[i - 4 : i + 1]) / 5 for i in range(4, 40)])
    assert page["items"][0]["at"] == "2026-01-05T14:30:00Z"
    # The candles before the first one asked for warm it up.
    later = await get(
        running, "/indicators/SMA/SIM-TREND", period=5, start="2026-01-05T14:40:00Z", limit=3
    )
    assert [item["value"] for item in later["items"]] == pytest.approx(values[10:13])
    assert later["next_cursor"] is not None


async def test_the_forming_candle_has_an_indicator_value_of_its_own(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    closes = [
        item["close"]
        for item in (await get(running, "/candles/SIM-TREND", timeframe="3m"))["items"]
    ]
    page = await get(running, "/indicators/SMA/SIM-TREND", timeframe="3m", period=2)
    assert page["items"][-1]["complete"] is False
    assert page["items"][-1]["value"] == pytest.approx((closes[-1] + closes[-2]) / 2)


async def test_an_indicator_of_several_lines_gives_each_by_its_name(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    candles = (await get(running, "/candles/SIM-TREND"))["items"]
    page = await get(running, "/indicators/donchian/SIM-TREND", period=3)
    assert page["items"][1]["values"] == {"upper": None, "middle": None, "lower": None}
    high = max(one["high"] for one in candles[:3])
    low = min(one["low"] for one in candles[:3])
    assert page["items"][2]["values"] == {"upper": high, "middle": (high + low) / 2, "lower": low}
    assert page["items"][2]["value"] == high
    # A parameter that isn't whole.
    page = await get(running, "/indicators/BBANDS/SIM-TREND", period=3, deviations="0.5")
    bands = page["items"][-1]["values"]
    assert bands["upper"] > bands["middle"] > bands["lower"]


async def test_the_volume_weighted_price_follows_the_exchanges_sessions(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    candles = (await get(running, "/candles/SIM-TREND"))["items"]
    page = await get(running, "/indicators/VWAP/SIM-TREND")
    money = volume = 0.0
    for candle, point in zip(candles, page["items"], strict=True):
        money += candle["vwap"] * candle["volume"]
        volume += candle["volume"]
        assert point["value"] == pytest.approx(money / volume)


async def test_any_function_of_talib_is_calculated_by_its_name(
    running: Engine, orders: Participant
) -> None:
    await ran(running)
    candles = (await get(running, "/candles/SIM-TREND"))["items"]
    page = await get(running, "/indicators/aroon/SIM-TREND", timeperiod=4)
    assert page["name"] == "AROON"
    assert [point["value"] for point in page["items"][:4]] == [None] * 4
    highs = [candle["high"] for candle in candles[:5]]
    latest = max(range(5), key=lambda index: (highs[index], index))
    assert page["items"][4]["values"]["aroonup"] == pytest.approx(100 * latest / 4)
    later = await get(
        running, "/indicators/AROON/SIM-TREND", timeperiod=4, start="2026-01-05T14:40:00Z", limit=3
    )
    assert [point["values"] for point in later["items"]] == [
        point["values"] for point in page["items"][10:13]
    ]


async def test_the_catalogue_of_indicators_tells_their_parameters(running: Engine) -> None:
    catalogue = {item["name"]: item for item in (await get(running, "/indicators"))["items"]}
    assert {"SMA", "EMA", "RSI", "ICHIMOKU", "AROON", "CDLDOJI"} <= set(catalogue)
    for item in catalogue.values():
        assert item["parameters"]["type"] == "object"
        assert item["outputs"]
        assert item["warm_up"] >= 1
    assert catalogue["BBANDS"]["outputs"] == ["upper", "middle", "lower"]
    assert catalogue["MFI"]["inputs"] == ["high", "low", "close", "volume"]
    assert (catalogue["ADX"]["warm_up"], catalogue["ADX"]["incremental"]) == (28, True)
    assert not catalogue["AROON"]["incremental"]


# --- instruments ---------------------------------------------------------------------------------


async def test_instruments_are_found_by_symbol_and_name(running: Engine) -> None:
    everything = await get(running, "/instruments")
    symbols = [item["symbol"] for item in everything["items"]]
    assert symbols == sorted(symbols)
    assert {"SPY", "IBM", "BAC", "AAPL", "QQQ", "SIM-TREND", "SIM-RANGE"} <= set(symbols)
    assert [
        item["symbol"] for item in (await get(running, "/instruments", query="sp"))["items"]
    ] == ["SPY"]
    found = await get(running, "/instruments", query="machines")
    assert [item["symbol"] for item in found["items"]] == ["IBM"]
    assert (await get(running, "/instruments", query="%"))["items"] == []
    assert await get(running, "/instruments/SPY") == {
        "symbol": "SPY",
        "name": "SPDR S&P 500 ETF Trust",
        "exchange": "XNYS",
        "currency": "USD",
        "tick_size": "0.01",
        "lot_size": "1",
        "tradable": True,
        "shortable": True,
        "borrow_fee_bps": "0",
    }


async def test_pages_of_instruments_meet(running: Engine) -> None:
    first = await get(running, "/instruments", limit=4)
    second = await get(running, "/instruments", limit=4, cursor=first["next_cursor"])
    symbols = [item["symbol"] for item in first["items"] + second["items"]]
    assert symbols == sorted(set(symbols))
    assert len(symbols) == 7
    assert second["next_cursor"] is None
