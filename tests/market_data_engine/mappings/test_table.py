"""Symbol mappings as CSV."""

from decimal import Decimal

import pytest

from market_data_engine.csv_rows import TableError
from market_data_engine.mappings.schemas import Mapping
from market_data_engine.mappings.sets import SETS
from market_data_engine.mappings.table import as_table, read_mappings
from shared.market_files.lines import is_symbol

PARTIES = {"alpaca", "yahoo"}
HEADER = "party,symbol,token,exchange,kind,lot_size,tick_size\n"


def read(*lines: str, header: str = HEADER) -> list[Mapping]:
    return [one for _, one in read_mappings((header + "\n".join(lines)).encode(), PARTIES)]


def test_a_row_says_all_that_is_known_and_leaves_out_the_rest() -> None:
    full, short = read("yahoo,A.NSE,A.NS,NSI,equity,1,0.05", "alpaca,BRK.B,BRK.B,,,,")
    assert full == Mapping(
        party="yahoo", symbol="A.NSE", token="A.NS", exchange="NSI", kind="equity",
        lot_size=Decimal(1), tick_size=Decimal("0.05"),
    )  # fmt: skip
    assert short == Mapping(party="alpaca", symbol="BRK.B", token="BRK.B")
    assert [one for _, one in read_mappings(as_table([full, short]).encode(), PARTIES)] == [
        full, short,
    ]  # fmt: skip
    assert read("A.NS,yahoo,A.NSE", header="token,party,symbol\n")[0].token == "A.NS"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("nobody,A,A,,,,", "'nobody' is no broker or provider"),
        ("yahoo,a b,A,,,,", "'a b' is no symbol"),
        ("yahoo,A,,,,,", "token must be 1 to 64"),
        ("yahoo,A,A B,,,,", "token must be 1 to 64"),
        ("yahoo,A," + "A" * 65 + ",,,,", "token must be 1 to 64"),
        ("yahoo,A,A,N S,,,", "'N S' is no name of an exchange"),
        ("yahoo,A,A,,house,,", "'house' is no kind"),
        ("yahoo,A,A,,,0,", "lot_size must be"),
        ("yahoo,A,A,,,-1,", "lot_size must be"),
        ("yahoo,A,A,,,NaN,", "lot_size must be"),
        ("yahoo,A,A,,,1e5,", "lot_size must be"),
        ("yahoo,A,A,,,,0.0000000000001", "tick_size must be"),
        ("yahoo,A,A,,,,9999999999999", "tick_size must be"),
    ],
)
def test_a_faulty_row_is_told_with_its_line(row: str, says: str) -> None:
    with pytest.raises(TableError) as refused:
        read("alpaca,B,B,,,,", row)
    (fault,) = refused.value.faults
    assert fault.startswith("line 3: ")
    assert says in fault


def test_neither_a_symbol_nor_a_name_is_there_twice_at_one_party() -> None:
    with pytest.raises(TableError) as refused:
        read("yahoo,A,X,,,,", "yahoo,A,Y,,,,", "yahoo,B,X,,,,", "alpaca,A,X,,,,")
    assert refused.value.faults == [
        "line 3: A of yahoo is on line 2 already.",
        "line 4: X of yahoo is on line 2 already.",
    ]


@pytest.mark.parametrize("name", SETS)
def test_the_sets_are_sound_tables_of_their_own_instruments(name: str) -> None:
    described, mappings = SETS[name]()
    assert len({one.symbol for one in described}) == len(described) > 40
    assert all(is_symbol(one.symbol) and one.name for one in described)
    assert {one.symbol for one in mappings} == {one.symbol for one in described}
    assert len(read_mappings(as_table(mappings).encode(), PARTIES)) == len(mappings)
