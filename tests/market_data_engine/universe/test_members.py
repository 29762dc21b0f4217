"""The universe as a table: read, written, and refused with each faulty line."""

import pytest

from market_data_engine.csv_rows import FAULTS_TOLD, TableError
from market_data_engine.universe.members import as_table, members_of


def test_a_table_is_read_in_any_order_of_columns_and_written_back_the_same() -> None:
    table = b"\xef\xbb\xbfTier, Symbol\r\nT1,SPY\r\n\r\nT0, AAPL\r\nT0,BTC/USDT\r\n"
    members = members_of(table)
    assert members == {"T0": ["AAPL", "BTC/USDT"], "T1": ["SPY"], "T2": []}
    assert members_of(as_table(members).encode()) == members


def test_every_faulty_row_is_told_with_its_line() -> None:
    table = b"symbol,tier\nAAPL,T0\nspy,T0\nAAPL,T1\nIBM,T9\n"
    with pytest.raises(TableError) as refused:
        members_of(table)
    assert refused.value.faults == [
        "line 3: 'spy' is no symbol.",
        "line 4: AAPL is on line 2 already.",
        "line 5: 'T9' is no tier; these are: T0, T1, T2.",
    ]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"", "It is empty"),
        (b"symbol,tier\n", "It has no rows"),
        (b"symbol\nSPY\n", "line 1: the columns tier are missing"),
        (b"symbol,tier,more\nSPY,T0,1\n", "line 1: 'more' are no columns"),
        (b"symbol,tier,tier\nSPY,T0,T1\n", "a column is named twice"),
        (b"symbol,tier\nSPY\n", "line 2: 1 cells, not 2"),
        (b"symbol,tier\n\xff,T0\n", "It is no UTF-8 text"),
        (b"symbol,tier\nS\0,T0\n", "a NUL"),
        (b'symbol,tier\n"SPY,T0\n', "It is no CSV"),
        (b"symbol,tier\n" + b"A" * 300 + b",T0\n", "line 2: a cell is no plain text"),
        (b"symbol,tier\n" + b"A,T0\n" * 15_001, "more than 15000 rows"),
        (b"symbol,tier\n" + b"".join(b"S%d,T0\n" % n for n in range(5001)), "T0 has more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_such_table_is_refused(table: bytes, says: str) -> None:
    with pytest.raises(TableError, match=says):
        members_of(table)


def test_of_a_great_many_faults_some_are_told() -> None:
    with pytest.raises(TableError) as refused:
        members_of(b"symbol,tier\n" + b"x,y\n" * 1000)
    assert len(refused.value.faults) == FAULTS_TOLD
