import pytest

from strategy_workers.runtime.timers import MOST_TIMERS, NEVER_NS, Timer, Timers
from strategy_workers.sdk.errors import StrategyError

SECOND_NS = 1_000_000_000


def timers(**by_name: Timer) -> Timers:
    made = Timers()
    for name, timer in by_name.items():
        made.start(name, timer)
    return made


def test_a_timer_is_due_once_and_not_before_its_time() -> None:
    one = timers(later=Timer(10))
    assert (one.next_ns, one.take_due(9)) == (10, [])
    assert one.take_due(10) == ["later"]
    assert (one.next_ns, one.take_due(99)) == (NEVER_NS, [])


def test_a_repeating_timer_begins_with_the_first_moment_and_keeps_its_beat() -> None:
    beat = timers(beat=Timer(0, 10))
    assert [beat.take_due(at_ns) for at_ns in (3, 12, 13, 22, 23)] == [
        ["beat"],
        [],
        ["beat"],
        [],
        ["beat"],
    ]


def test_times_that_were_missed_are_made_up_for_by_one_call() -> None:
    beat = timers(beat=Timer(0, 10))
    beat.take_due(3)
    assert beat.take_due(48) == ["beat"]
    assert beat.next_ns == 53


def test_the_earlier_timer_is_told_first_and_equal_ones_by_name() -> None:
    assert timers(c=Timer(1), b=Timer(2), a=Timer(2)).take_due(5) == ["c", "a", "b"]


def test_starting_one_again_moves_it_and_one_that_is_called_off_is_not_due() -> None:
    moved = timers(one=Timer(1), two=Timer(2))
    moved.start("one", Timer(7))
    moved.end("two")
    moved.end("never started")
    assert (moved.take_due(6), moved.take_due(7)) == ([], ["one"])


def test_a_new_run_begins_repeating_timers_anew_and_forgets_the_others() -> None:
    timers_of_a_run = timers(beat=Timer(0, 10), once=Timer(50))
    timers_of_a_run.take_due(30)
    timers_of_a_run.run_started()
    assert timers_of_a_run.take_due(5) == ["beat"]
    assert timers_of_a_run.next_ns == 15


def test_a_deployment_can_not_pile_up_timers_without_end() -> None:
    full = timers(**{f"number {n}": Timer(n) for n in range(MOST_TIMERS)})
    with pytest.raises(StrategyError, match="1,000 timers at most"):
        full.start("one more", Timer(1))
    full.start("number 7", Timer(0))
    assert full.take_due(0) == ["number 0", "number 7"]
    full.start("one more", Timer(1))
