"""A real day of prints, each timeframe against a group-by of the whole day."""

from pathlib import Path

import polars as pl
import pytest

from shared.candles import LENGTH_NS, CandleBuilder
from shared.models.identifiers import TIMEFRAMES, Symbol
from shared.models.market import Candle
from tests.shared.candles.sessions import new_york, ns

_CALENDAR = new_york("2013-10-07", "2013-10-11")
_OPEN = ns("2013-10-07T04:00", "America/New_York")


def _prints(folder: Path, symbol: str) -> pl.DataFrame:
    return pl.read_csv(folder / "trades" / f"{symbol}_20131007.csv.gz").select(
        pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns").cast(pl.Int64),
        pl.col("price").cast(pl.Float64),
        pl.col("size").cast(pl.Float64),
    )


def _candles(prints: pl.DataFrame, batch: int) -> list[Candle]:
    builder = CandleBuilder(Symbol("X"), _CALENDAR)
    done: list[Candle] = []
    for piece in prints.iter_slices(batch):
        done += builder.add_trades(*(column.to_list() for column in piece.get_columns()))
    return done + builder.advance(_OPEN + LENGTH_NS["1w"])


def _grouped(prints: pl.DataFrame, length_ns: int) -> pl.DataFrame:
    start = _OPEN + (pl.col("timestamp") - _OPEN) // length_ns * length_ns
    return (
        prints.group_by(start.alias("start_ns"))
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("size").sum().alias("volume"),
            ((pl.col("price") * pl.col("size")).sum() / pl.col("size").sum()).alias("vwap"),
            pl.len().cast(pl.Int64).alias("trades"),
        )
        .sort("start_ns")
    )


@pytest.mark.parametrize("symbol", ["SPY", "IBM", "BAC"])
def test_a_real_day_equals_its_group_bys_in_every_timeframe(
    market_data_folder: Path, symbol: str
) -> None:
    prints = _prints(market_data_folder, symbol)
    done = _candles(prints, batch=4096)
    assert len(prints) > 20_000
    for timeframe in TIMEFRAMES:
        candles = [c for c in done if c.timeframe == timeframe]
        expected = _grouped(prints, LENGTH_NS[timeframe])
        assert sum(c.volume for c in candles) == prints["size"].sum()
        built = pl.DataFrame(
            [{name: getattr(c, name) for name in expected.columns} for c in candles],
            schema=expected.schema,
        )
        assert built.drop("vwap").equals(expected.drop("vwap"))
        assert built["vwap"].to_list() == pytest.approx(expected["vwap"].to_list(), rel=1e-12)


def test_a_real_day_gives_the_same_candles_print_by_print(market_data_folder: Path) -> None:
    prints = _prints(market_data_folder, "IBM")
    assert _candles(prints, batch=1) == _candles(prints, batch=len(prints))


def test_volumes_are_those_of_the_vendors_own_minute_bars(market_data_folder: Path) -> None:
    done = _candles(_prints(market_data_folder, "SPY"), batch=4096)
    volumes = {c.start_ns: c.volume for c in done if c.timeframe == "1m"}
    bars = pl.read_csv(market_data_folder / "bars_1m" / "SPY_20131007_20131007.csv.gz")
    at_ns = bars["timestamp"].str.to_datetime(time_unit="ns", time_zone="UTC").cast(pl.Int64)
    differing = [
        at for at, volume in zip(at_ns, bars["volume"], strict=True) if volumes.get(at) != volume
    ]
    assert len(bars) == len(volumes)
    assert len(differing) <= 3
