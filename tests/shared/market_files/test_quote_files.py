from pathlib import Path

import pytest

from shared.market_files.columns import QuoteColumns
from shared.market_files.lines import MarketFileError, parse_time
from shared.market_files.market import read_market
from shared.market_files.reading import summarize

HEADER = "timestamp,symbol,bid,bid_size,ask,ask_size,exchange"
SECOND_NS = 1_000_000_000
START_NS = parse_time("2013-10-07T13:30:00Z")

#: Seconds after the start, symbol, bid, ask, bid size, ask size.
Row = tuple[int, str, float, float, float, float]


def line(second: int, symbol: str, bid: str, bid_size: str, ask: str, ask_size: str) -> str:
    return f"2013-10-07T13:30:{second:02}Z,{symbol},{bid},{bid_size},{ask},{ask_size},N"


def write(folder: Path, *lines: str, name: str = "quotes.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join(lines).encode() + b"\n")
    return path


def rows_of(columns: QuoteColumns) -> list[Row]:
    return [
        ((at_ns - START_NS) // SECOND_NS, columns.symbols[index], bid, ask, bid_size, ask_size)
        for index, at_ns, bid, ask, bid_size, ask_size in zip(
            columns.symbol_index,
            columns.at_ns,
            columns.bid,
            columns.ask,
            columns.bid_size,
            columns.ask_size,
            strict=True,
        )
    ]


def quotes_in(*paths: Path, piece_bytes: int = 1 << 20) -> list[Row]:
    rows: list[Row] = []
    for piece in read_market(paths, piece_bytes=piece_bytes):
        if piece.quotes is not None:
            rows += rows_of(piece.quotes)
    return rows


@pytest.mark.parametrize("piece_bytes", [1 << 20, 120, 40])
def test_a_side_that_a_row_does_not_tell_of_stays_as_it_was(
    tmp_path: Path, piece_bytes: int
) -> None:
    path = write(
        tmp_path,
        HEADER,
        line(0, "A", "10", "300", "0", "0"),
        line(1, "B", "5", "1", "6", "2"),
        line(2, "A", "0", "0", "10.02", "100"),
        line(3, "A", "10.01", "200", "0", "0"),
        line(4, "B", "0", "0", "5.5", "7"),
    )
    assert quotes_in(path, piece_bytes=piece_bytes) == [
        (0, "A", 10, 0, 300, 0),
        (1, "B", 5, 6, 1, 2),
        (2, "A", 10, 10.02, 300, 100),
        (3, "A", 10.01, 10.02, 200, 100),
        (4, "B", 5, 5.5, 1, 7),
    ]


@pytest.mark.parametrize("piece_bytes", [1 << 20, 60])
def test_rows_of_one_symbol_and_time_are_one_quote(tmp_path: Path, piece_bytes: int) -> None:
    path = write(
        tmp_path,
        HEADER,
        line(0, "A", "10", "300", "10.5", "1"),
        line(1, "A", "11", "300", "0", "0"),
        line(1, "A", "0", "0", "11.5", "2"),
        line(2, "A", "0", "0", "11.6", "2"),
    )
    assert quotes_in(path, piece_bytes=piece_bytes) == [
        (0, "A", 10, 10.5, 300, 1),
        (1, "A", 11, 11.5, 300, 2),
        (2, "A", 11, 11.6, 300, 2),
    ]


def test_a_price_with_size_zero_takes_the_quote_away(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEADER,
        line(0, "A", "10", "300", "10.5", "1"),
        line(1, "A", "10", "0", "0", "0"),
        line(2, "A", "0", "0", "10.4", "3"),
    )
    assert quotes_in(path) == [
        (0, "A", 10, 10.5, 300, 1),
        (1, "A", 0, 10.5, 0, 1),
        (2, "A", 0, 10.4, 0, 3),
    ]


@pytest.mark.parametrize("piece_bytes", [1 << 20, 90])
def test_quotes_and_trades_are_merged_by_time(tmp_path: Path, piece_bytes: int) -> None:
    quotes = write(
        tmp_path,
        HEADER,
        *(line(second, "A", f"{10 + second}", "1", "99", "1") for second in range(6)),
    )
    trades = write(
        tmp_path,
        "timestamp,symbol,price,size",
        *(f"2013-10-07T13:30:{second:02}Z,A,{second + 1},1" for second in range(0, 8, 2)),
        name="trades.csv",
    )
    seen_ns = -1
    prices: list[float] = []
    bids: list[float] = []
    for piece in read_market([quotes, trades], piece_bytes=piece_bytes):
        assert piece.first_ns > seen_ns  # all of one time are in one piece
        seen_ns = piece.last_ns
        prices += piece.trades.price
        bids += piece.quotes.bid if piece.quotes is not None else []
    assert prices == [1, 3, 5, 7]
    assert bids == [10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([HEADER], "there is no quote after the header line."),
        (["timestamp,symbol,bid,ask", "x"], "the columns 'bid_size', 'ask_size' are missing"),
        ([HEADER, line(0, "A", "0", "0", "0", "5")], "line 2: it has neither a bid nor an ask."),
        ([HEADER, line(0, "A", "-1", "1", "2", "5")], "the bid '-1' is not zero or above."),
        ([HEADER, line(0, "A", "1", "-1", "2", "5")], "the bid size '-1' is not zero or above."),
        ([HEADER, line(0, "A", "1", "1", "nan", "5")], "the ask 'nan' is not a finite number."),
        ([HEADER, line(0, "A", "1", "1", "2", "")], "the ask size '' is not a finite number."),
        (
            [HEADER, line(1, "A", "1", "1", "2", "1"), line(0, "A", "1", "1", "2", "1")],
            "line 3: its time is before that of the line above.",
        ),
    ],
)
def test_what_is_wrong_with_quotes_is_told_in_one_sentence(
    tmp_path: Path, lines: list[str], sentence: str
) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(MarketFileError) as refused:
        summarize(path)
    assert sentence in str(refused.value)
    with pytest.raises(MarketFileError) as again:
        list(read_market([path]))
    assert str(again.value) == str(refused.value)


def test_a_real_day_of_quotes_holds_its_prints_between_bid_and_ask(
    market_data_folder: Path,
) -> None:
    """Were rows not of the whole market, most prints would be outside."""
    paths = [market_data_folder / kind / "IBM_20131007.csv.gz" for kind in ("trades", "quotes")]
    assert [summarize(path).kind for path in paths] == ["trades", "quotes"]
    inside = prints = crossed = quotes = 0
    bid = ask = 0.0
    for piece in read_market(paths):
        trades = piece.trades
        rows = [(at, 1, price, 0.0) for at, price in zip(trades.at_ns, trades.price, strict=True)]
        if piece.quotes is not None:
            its = piece.quotes
            rows += [(at, 0, b, a) for at, b, a in zip(its.at_ns, its.bid, its.ask, strict=True)]
        for _, is_print, first, second in sorted(rows):
            if is_print:
                prints += 1
                inside += bid <= first <= ask
            else:
                bid, ask = first, second
                quotes += 1
                crossed += bid > ask > 0
    assert prints == 24_293
    assert inside > 0.95 * prints
    assert crossed < 0.001 * quotes
