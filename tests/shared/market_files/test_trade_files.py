import csv
import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.market_files.columns import TradeColumns
from shared.market_files.lines import MarketFileError, parse_time
from shared.market_files.market import read_market
from shared.market_files.reading import FileSummary, summarize

HEADER = "timestamp,symbol,price,size"
GOOD = "2013-10-07T13:30:00.125Z,SPY,167.41,100"


def write(folder: Path, *lines: str, name: str = "trades.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join(lines).encode() + b"\n")
    return path


def everything(*paths: Path, piece_bytes: int = 1 << 20) -> TradeColumns:
    whole = TradeColumns([], [], [], [], [])
    for piece in read_market(paths, piece_bytes=piece_bytes):
        assert len(piece) > 0
        assert piece.quotes is None
        part = piece.trades
        names = [part.symbols[index] for index in part.symbol_index]
        for name in names:
            if name not in whole.symbols:
                whole.symbols.append(name)
        whole.symbol_index.extend(whole.symbols.index(name) for name in names)
        whole.at_ns.extend(part.at_ns)
        whole.price.extend(part.price)
        whole.size.extend(part.size)
    return whole


def test_columns_may_come_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "exchange,size,price,timestamp,symbol",
        "P,100,167.41,2013-10-07T13:30:00.125Z,SPY",
        "Q,2.5,1e2,2013-10-07T15:30:01.000000001+02:00,BRK.B",
    )
    half_past_ns = 1_381_152_600_000_000_000
    assert everything(path) == TradeColumns(
        symbols=["SPY", "BRK.B"],
        symbol_index=[0, 1],
        at_ns=[half_past_ns + 125_000_000, half_past_ns + 1_000_000_001],
        price=[167.41, 100.0],
        size=[100.0, 2.5],
    )


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "trades.csv: the file is empty."),
        ([HEADER], "trades.csv: there is no trade after the header line."),
        (["timestamp,symbol,price", "x"], "trades.csv, line 1: the column 'size' is missing"),
        (["a,b", "x"], "line 1: the columns 'timestamp', 'symbol', 'price', 'size' are missing"),
        (
            ["timestamp,symbol,price,size,price", "x"],
            "line 1: the column 'price' is there more than once.",
        ),
        ([HEADER, GOOD, "2013-10-07T13:30:01Z,SPY,167.41"], "line 3: it has 3 fields, the header"),
        ([HEADER, GOOD + ",P"], "line 2: it has 5 fields, the header has 4."),
        ([HEADER, GOOD, "", GOOD], "line 3: it is empty."),
        ([HEADER, "2013-10-07T13:30:00,SPY,1,1"], "line 2: the timestamp '2013-10-07T13:30:00'"),
        ([HEADER, "2013-10-07,SPY,1,1"], "is not ISO 8601 with a zone"),
        ([HEADER, "1381132800,SPY,1,1"], "is not ISO 8601 with a zone"),
        ([HEADER, "2013-02-30T13:30:00Z,SPY,1,1"], "is not a date of the calendar."),
        ([HEADER, "2013-10-07T24:30:00Z,SPY,1,1"], "is not ISO 8601 with a zone"),
        (
            [HEADER, "9999-10-07T13:30:00Z,SPY,1,1"],
            "is not ISO 8601 with a zone, from 1970 to 2199",
        ),
        ([HEADER, " 2013-10-07T13:30:00Z,SPY,1,1"], "is not ISO 8601 with a zone"),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,abc,1"], "the price 'abc' is not a finite number."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,nan,1"], "the price 'nan' is not a finite number."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,1e999,1"], "the price '1e999' is not a finite number."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,1,inf"], "the size 'inf' is not a finite number."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,1,"], "the size '' is not a finite number."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,0,1"], "the price '0' is not above zero."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,-1,1"], "the price '-1' is not above zero."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,1,0"], "the size '0' is not above zero."),
        ([HEADER, "2013-10-07T13:30:00Z,SPY,1,-5"], "the size '-5' is not above zero."),
        ([HEADER, "2013-10-07T13:30:00Z,,1,1"], "line 2: the symbol is empty."),
        ([HEADER, "2013-10-07T13:30:00Z,spy,1,1"], "line 2: the symbol 'spy' is not"),
        ([HEADER, "2013-10-07T13:30:00Z,S Y,1,1"], "the symbol 'S Y' is not"),
        ([HEADER, f"2013-10-07T13:30:00Z,{'A' * 33},1,1"], "the symbol 'AAAA"),
        ([HEADER, GOOD, "2013-10-07T13:29:59Z,SPY,1,1"], "line 3: its time is before that of the"),
        ([HEADER, '2013-10-07T13:30:00Z,"SPY,1,1'], "line 2: it is not valid CSV"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(
    tmp_path: Path, lines: list[str], sentence: str
) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode() if lines else b"")
    with pytest.raises(MarketFileError) as refused:
        summarize(path)
    message = str(refused.value)
    assert sentence in message
    assert "\n" not in message
    assert message.startswith("trades.csv")
    with pytest.raises(MarketFileError) as again:
        list(read_market([path]))
    assert str(again.value) == message


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(f"{HEADER}\n{GOOD}\n".encode() + b"2013-10-07T13:30:01Z,SP\xff,1,1\n")
    with pytest.raises(MarketFileError, match=r"trades.csv, line 3: it is not UTF-8 text\."):
        summarize(path)


def test_gzip_must_be_what_its_name_says_and_whole(tmp_path: Path) -> None:
    content = "\n".join([HEADER, *[GOOD] * 1000, ""]).encode()
    path = tmp_path / "trades.csv.gz"
    path.write_bytes(content)
    with pytest.raises(MarketFileError, match="not gzip data, as its name says"):
        summarize(path)
    path.write_bytes(gzip.compress(content)[:-20])
    with pytest.raises(MarketFileError, match="breaks off before its end"):
        summarize(path)
    damaged = bytearray(gzip.compress(content))
    damaged[40] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(MarketFileError, match=r"damaged|breaks off"):
        summarize(path)
    path.write_bytes(gzip.compress(content))
    assert summarize(path).rows == 1000


def test_gzip_is_recognised_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "0a1b2c"
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode()))
    assert summarize(path, "spy.csv.gz").rows == 1


def test_a_refusal_names_the_file_as_its_owner_called_it(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "x", name="0a1b2c")
    with pytest.raises(MarketFileError, match=r"^spy\.csv, line 2"):
        summarize(path, "spy.csv")


def test_a_byte_order_mark_windows_newlines_quotes_and_a_missing_last_newline_do_no_harm(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(
        b"\xef\xbb\xbf" + f'{HEADER},note\r\n{GOOD},"a, b"\r\n{GOOD},c\r\n{GOOD},ä'.encode()
    )
    assert summarize(path).rows == 3
    assert everything(path).price == [167.41] * 3


def test_a_file_with_too_many_trades_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, GOOD, GOOD, GOOD)
    assert summarize(path, max_rows=3).rows == 3
    with pytest.raises(MarketFileError, match="more than 2 trades"):
        summarize(path, max_rows=2)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode() + b"0" * (9 << 20)))
    with pytest.raises(MarketFileError, match=r"line 3: it is longer than 65536 bytes"):
        summarize(path)
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}".encode() + b"\n" * (9 << 20)))
    with pytest.raises(MarketFileError, match="line 3: it is empty"):
        summarize(path)


def test_files_are_merged_by_time_then_file_then_line(tmp_path: Path) -> None:
    first = write(
        tmp_path,
        HEADER,
        "2013-10-07T13:30:00Z,A,1,1",
        "2013-10-07T13:30:02Z,A,2,1",
        "2013-10-07T13:30:02Z,A,3,1",
        name="first",
    )
    second = write(
        tmp_path,
        HEADER,
        "2013-10-07T13:29:00Z,B,4,1",
        "2013-10-07T13:30:02Z,B,5,1",
        "2013-10-07T13:30:03Z,B,6,1",
        name="second",
    )
    assert everything(first, second).price == [4, 1, 2, 3, 5, 6]
    assert everything(second, first).price == [4, 1, 5, 2, 3, 6]


row = st.tuples(
    st.integers(0, 40), st.sampled_from(["A", "B", "C"]), st.integers(1, 999), st.integers(1, 99)
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.lists(st.lists(row, min_size=1, max_size=40), min_size=1, max_size=4), st.integers(40, 400)
)
def test_merging_in_pieces_equals_sorting_the_whole(
    tmp_path: Path,
    files: list[list[tuple[int, str, int, int]]],
    piece: int,
) -> None:
    paths = []
    expected = []
    for number, rows in enumerate(files):
        rows.sort(key=lambda one: one[0])
        lines = [
            f"2013-10-07T13:30:{at:02}Z,{symbol},{price},{size}" for at, symbol, price, size in rows
        ]
        paths.append(write(tmp_path, HEADER, *lines, name=f"{number}"))
        expected += rows
    expected.sort(key=lambda one: one[0])
    whole = everything(*paths, piece_bytes=piece)
    assert [whole.symbols[index] for index in whole.symbol_index] == [one[1] for one in expected]
    assert whole.price == [one[2] for one in expected]
    assert whole.size == [one[3] for one in expected]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.lists(
        st.sampled_from([GOOD, "", "x", GOOD + ",", "2013-10-07T13:30:59Z,B,1,1"]), max_size=9
    ),
    st.integers(1, 120),
)
def test_how_a_file_is_cut_into_pieces_does_not_show(
    tmp_path: Path, lines: list[str], piece: int
) -> None:
    path = write(tmp_path, HEADER, *lines)

    def outcome(piece_bytes: int) -> FileSummary | str:
        try:
            return summarize(path, piece_bytes=piece_bytes)
        except MarketFileError as error:
            return str(error)

    assert outcome(piece) == outcome(1 << 20)


@settings(deadline=None)
@given(st.integers(86_400_000_000, 7_258_000_000_000_000), st.integers(-23 * 60, 23 * 60))
def test_times_are_read_exactly(micros: int, offset_minutes: int) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    text = moment.astimezone(zone).isoformat(timespec="microseconds")
    assert parse_time(text) == micros * 1000


def test_a_real_day_is_read_like_a_plain_csv_reader_does(market_data_folder: Path) -> None:
    path = market_data_folder / "trades" / "IBM_20131007.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    whole = everything(path)
    assert whole.symbols == ["IBM"]
    assert whole.price == [float(line["price"]) for line in rows]
    assert whole.size == [float(line["size"]) for line in rows]
    assert whole.at_ns == [parse_time(line["timestamp"]) for line in rows]
    assert summarize(path) == FileSummary(
        "trades", len(rows), ["IBM"], whole.at_ns[0], whole.at_ns[-1]
    )
