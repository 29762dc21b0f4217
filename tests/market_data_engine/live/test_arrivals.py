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
    assert piece.trades.price == [20.0, 3.0]
    assert arrivals.add(Cancel("A", at(0), "V3"), NOW_NS) == "not_undone"


# --- within the grace ----------------------------------------------------------------------------


@pytest.fixture
def forgiving() -> Arrivals:
    """Its run began at 0 s, and 90 s are over; prints of the last 60 s may come late."""
    arrivals = Arrivals(["A", "B"], grace_ns=60 * SECOND_NS)
    arrivals.take(at(0), mark=True)
    for number, second in enumerate((1, 31, 59, 61)):
        arrivals.add(a_print(second, 10.0 + number, f"V{second}"), at(second))
    arrivals.take(at(90), mark=True)
    return arrivals


def minute(second: float) -> tuple[str, int]:
    return "A", at(second) // (60 * SECOND_NS)


def prices(arrivals: Arrivals, second: float) -> list[float]:
    return [one.price for one in arrivals.recent.of(minute(second))]


def test_a_late_print_within_the_grace_amends_its_minute_and_never_comes_on_the_tape(
    forgiving: Arrivals,
) -> None:
    assert forgiving.add(a_print(30, 99.0, "L1"), at(90)) == "amending"
    assert forgiving.add(a_print(30, 99.0, "L1"), at(90)) == "duplicate"
    assert forgiving.add(a_print(29.9, 98.0, "L2"), at(90)) == "late"
    assert forgiving.touched() == [minute(30)]
    assert forgiving.touched() == []
    assert prices(forgiving, 30) == [10.0, 99.0, 11.0, 12.0]
    assert forgiving.take(at(91), mark=True) is None


def test_what_was_before_the_run_is_none_of_its_business() -> None:
    arrivals = Arrivals(["A"], grace_ns=60 * SECOND_NS)
    assert arrivals.add(a_print(-1), NOW_NS) == "taken"
    arrivals.take(at(0), mark=True)
    assert arrivals.add(a_print(-1), NOW_NS) == "late"


def test_a_cancel_takes_a_print_out_of_its_minute_unless_nothing_would_be_left(
    forgiving: Arrivals,
) -> None:
    assert forgiving.add(Cancel("A", at(90), "V31"), at(90)) == "amending"
    assert prices(forgiving, 31) == [10.0, 12.0]
    assert forgiving.add(Cancel("A", at(90), "V31"), at(90)) == "not_undone"
    assert forgiving.add(Cancel("B", at(90), "V1"), at(90)) == "not_undone"
    assert forgiving.add(Cancel("A", at(90), "V61"), at(90)) == "not_undone"
    assert prices(forgiving, 61) == [13.0]
    assert forgiving.touched() == [minute(31)]


def test_a_correction_takes_the_place_and_the_time_of_what_it_corrects(forgiving: Arrivals) -> None:
    def correct(name: str, price: float, now: str) -> str:
        return forgiving.add(Correction("A", at(90), name, a_print(90, price, now)), at(90))

    assert correct("V31", 50.0, "C1") == "amending"
    assert correct("V31", 51.0, "C2") == "not_undone"
    assert correct("V1", nan, "C3") == "unsound"
    assert correct("V1", 52.0, "V59") == "duplicate"
    assert correct("C1", 53.0, "C1") == "amending"
    assert prices(forgiving, 31) == [10.0, 53.0, 12.0]
    assert {one.at_ns for one in forgiving.recent.of(minute(31))} == {at(1), at(31), at(59)}


def test_after_the_grace_prints_are_forgotten(forgiving: Arrivals) -> None:
    forgiving.take(at(121), mark=True)
    assert forgiving.add(Cancel("A", at(121), "V1"), at(121)) == "not_undone"
    assert prices(forgiving, 1) == []
    assert prices(forgiving, 61) == [13.0]
