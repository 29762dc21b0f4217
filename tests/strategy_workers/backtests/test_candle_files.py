"""What candle files may look like, and which sentence refuses what they may not."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from strategy_workers.backtests.candle_files import read_candles
from strategy_workers.backtests.errors import BadBacktestError

HEADER = "timestamp,open,high,low,close,volume\n"
GOOD = "2019-01-07T00:00:00Z,10,11,9,10.5,100\n"
LATER = "2019-01-07T00:01:00Z,10,11,9,10.5,100\n"


def test_csv_gzip_and_parquet_say_the_same(tmp_path: Path) -> None:
    plain = tmp_path / "AAA.csv"
    plain.write_text(HEADER + GOOD + LATER)
    zipped = tmp_path / "AAA.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    columns = tmp_path / "AAA.parquet"
    pl.DataFrame(
        {
            "timestamp": [datetime(2019, 1, 7, 0, minute, tzinfo=UTC) for minute in (0, 1)],
            "open": 10,
            "high": 11,
            "low": 9,
            "close": 10.5,
            "volume": 100,
        }
    ).write_parquet(columns)
    first, *others = (read_candles((path,)) for path in (plain, zipped, columns))
    assert list(first) == ["AAA"]
    for other in others:
        assert other["AAA"].equals(first["AAA"])


def test_a_symbol_column_splits_the_file(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("symbol," + HEADER + f"BBB,{GOOD}AAA,{GOOD}BBB,{LATER}")
    assert {name: rows.height for name, rows in read_candles((path,)).items()} == {
        "BBB": 2,
        "AAA": 1,
    }


def test_files_of_one_symbol_are_joined_by_time(tmp_path: Path) -> None:
    late, early = tmp_path / "AAA.2.csv", tmp_path / "AAA.1.csv"
    late.write_text(HEADER + LATER)
    early.write_text(HEADER + GOOD)
    assert read_candles((late, early))["AAA"]["start_ns"].is_sorted()
    with pytest.raises(BadBacktestError, match="two files have candles of AAA of the same time"):
        read_candles((late, late))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "can't be read"),
        (HEADER, "has no candle"),
        ("timestamp,open,high,low,close\n2019-01-07T00:00:00Z,1,1,1,1\n", "no column volume"),
        (HEADER + GOOD + GOOD, "line 3: its time is not after"),
        (HEADER + LATER + GOOD, "line 3: its time is not after"),
        (HEADER + GOOD + "yesterday,10,11,9,10,1\n", "line 3: its timestamp"),
        (HEADER + "2019-01-07T00:00:00,10,11,9,10,1\n", "line 2: its timestamp"),
        (HEADER + "2019-02-30T00:00:00Z,10,11,9,10,1\n", "line 2: its timestamp"),
        (HEADER + "2019-01-07T00:00:00Z,ten,11,9,10,1\n", "line 2: its open"),
        (HEADER + "2019-01-07T00:00:00Z,10,11,0,10,1\n", "line 2: its low"),
        (HEADER + "2019-01-07T00:00:00Z,10,inf,9,10,1\n", "line 2: its high"),
        (HEADER + "2019-01-07T00:00:00Z,10,11,9,NaN,1\n", "line 2: its close"),
        (HEADER + "2019-01-07T00:00:00Z,10,11,9,10,-1\n", "line 2: its volume"),
        (HEADER + "2019-01-07T00:00:00Z,10,10.5,9,11,1\n", "line 2: its high is below"),
        (HEADER + "2019-01-07T00:00:00Z,10,11,10.2,11,1\n", "line 2: its low is above"),
        (HEADER + "2019-01-07T00:00:00Z,10,11,9,,1\n", "line 2: its close"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "AAA.csv"
    path.write_text(content)
    with pytest.raises(BadBacktestError, match=says):
        read_candles((path,))


def test_a_file_name_that_is_no_symbol_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my candles.csv"
    path.write_text(HEADER + GOOD)
    with pytest.raises(BadBacktestError, match="its symbol is not"):
        read_candles((path,))


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "AAA.parquet"
    path.write_bytes(b"not this")
    with pytest.raises(BadBacktestError, match="can't be read"):
        read_candles((path,))
