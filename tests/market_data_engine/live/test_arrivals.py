"""What becomes of each thing that a feed tells."""

from math import inf, nan

import pytest

from market_data_engine.feeds.events import Cancel, Correction, FeedEvent, Print, Quote
from market_data_engine.live.arrivals import KNOWN_IDS, Arrivals
from shared.models.market import Quotes, Trades

SECOND_NS = 1_000_000_000
#: Wall time of all that follows.
NOW_NS = 1_767_623_400 * SECOND_NS


def at(seconds: float) -> int:
    return NOW_NS + int(seconds * SECOND_NS)


def a_print(seconds: float, price: float = 10.0, name: str | None = None) -> Print:
    return Print("A", at(seconds), price, 1.0, name)


def a_quote(seconds: float, bid: float = 9.0, ask: float = 11.0) -> Quote:
    return Quote("A", at(seconds), bid, ask, 1.0, 1.0)


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals(["A", "B"])


def test_what_comes_before_the_mark_is_put_in_time_order(arrivals: Arrivals) -> None:
    for event in (a_print(-0.1, 3.0), a_print(-0.3, 1.0), a_print(-0.2, 2.0), a_print(0.5, 4.0)):
        assert arrivals.add(event, NOW_NS) == "taken"
    piece = arrivals.take(at(0), mark=True)
    assert piece is not None
    assert piece.trades.price == [1.0, 2.0, 3.0]
    later = arrivals.take(at(1), mark=True)
    assert later is not None
    assert later.trades.price == [4.0]
    assert arrivals.take(at(2), mark=True) is None


def test_times_on_the_tape_never_fall(arrivals: Arrivals) -> None:
    arrivals.add(a_print(0.5), NOW_NS)
    arrivals.take(at(1), mark=False)
    assert arrivals.add(a_print(0.4), NOW_NS) == "taken"
    piece = arrivals.take(at(1), mark=True)
    assert piece is not None
    assert piece.trades.at_ns == [at(0.5)]


def test_a_print_that_comes_after_its_slice_is_late(arrivals: Arrivals) -> None:
    arrivals.take(at(0), mark=True)
    assert arrivals.add(a_print(-0.001), NOW_NS) == "late"
    assert arrivals.take(at(1), mark=True) is None


def test_a_print_that_comes_again_counts_once_also_when_it_was_late(arrivals: Arrivals) -> None:
    assert arrivals.add(a_print(0, name="V1"), NOW_NS) == "taken"
    assert arrivals.add(a_print(0, name="V1"), NOW_NS) == "duplicate"
    assert arrivals.add(Print("B", at(0), 1.0, 1.0, "V1"), NOW_NS) == "taken"
    arrivals.take(at(1), mark=True)
    assert arrivals.add(a_print(0, name="V1"), NOW_NS) == "duplicate"
    assert arrivals.add(a_print(0, name="V2"), NOW_NS) == "late"
    assert arrivals.add(a_print(0, name="V2"), NOW_NS) == "duplicate"


def test_prints_without_ids_all_count(arrivals: Arrivals) -> None:
    assert [arrivals.add(a_print(0), NOW_NS) for _ in range(2)] == ["taken", "taken"]


def test_the_memory_for_ids_is_bounded(arrivals: Arrivals) -> None:
    for number in range(KNOWN_IDS + 1):
        arrivals.add(a_print(0, name=str(number)), NOW_NS)
    assert arrivals.add(a_print(0, name="1"), NOW_NS) == "duplicate"
    assert arrivals.add(a_print(0, name="0"), NOW_NS) == "taken"


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (a_print(0, 0.0), "unsound"),
        (a_print(0, -1.0), "unsound"),
        (a_print(0, nan), "unsound"),
        (a_print(0, inf), "unsound"),
        (Print("A", at(0), 1.0, -1.0), "unsound"),
        (a_quote(0, 0.0, 0.0), "unsound"),
        (a_quote(0, nan, 1.0), "unsound"),
        (a_quote(0, -1.0, 1.0), "unsound"),
        (a_print(6), "from_the_future"),
        (a_quote(6), "from_the_future"),
        (a_print(-90_000), "outdated"),
        (Print("C", at(0), 1.0, 1.0), "unasked"),
        (Cancel("A", at(0), "V9"), "not_undone"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    arrivals: Arrivals, event: FeedEvent, outcome: str
) -> None:
    assert arrivals.add(event, NOW_NS) == outcome
    assert arrivals.take(at(10), mark=True) is None


def test_a_quote_older_than_the_newest_of_its_symbol_says_nothing(arrivals: Arrivals) -> None:
    assert arrivals.add(a_quote(0.2), NOW_NS) == "taken"
    assert arrivals.add(a_quote(0.1), NOW_NS) == "outdated"
    assert arrivals.add(Quote("B", at(0.1), 1.0, 2.0, 1.0, 1.0), NOW_NS) == "taken"
    arrivals.take(at(1), mark=True)
    assert arrivals.add(a_quote(0.9), NOW_NS) == "outdated"


def test_prints_and_quotes_alternate_by_time_quotes_first(arrivals: Arrivals) -> None:
    for event in (a_quote(0.1), a_print(0.1), a_print(0.2), a_quote(0.3), a_print(0.4)):
        arrivals.add(event, NOW_NS)
    piece = arrivals.take(at(1), mark=True)
    assert piece is not None
    entries = list(piece.entries())
    assert [type(entry) for entry in entries] == [Quotes, Trades, Quotes, Trades]
    assert [entry.at_ns for entry in entries] == [
        [at(0.1)],
        [at(0.1), at(0.2)],
        [at(0.3)],
        [at(0.4)],
    ]


def test_a_print_can_be_cancelled_or_corrected_until_it_is_on_the_tape(arrivals: Arrivals) -> None:
    for number in (1, 2, 3):
        arrivals.add(a_print(0.1, float(number), f"V{number}"), NOW_NS)
    assert arrivals.add(Cancel("A", at(0), "V1"), NOW_NS) == "taken"
    corrected = Correction("A", at(0), "V2", a_print(0.1, 20.0, "V4"))
    assert arrivals.add(corrected, NOW_NS) == "taken"
    piece = arrivals.take(at(1), mark=True)
    assert piece is not None
    assert piece.trades.price == [3.0, 20.0]
    assert arrivals.add(Cancel("A", at(0), "V3"), NOW_NS) == "not_undone"
