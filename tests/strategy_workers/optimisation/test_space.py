"""Ranges become finite lists of values that the strategy takes, or one clear sentence."""

import pytest

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.optimisation.space import Space, parse_space
from tests.strategy_workers.optimisation.support import Tuned


def space(*texts: str) -> Space:
    return parse_space(Tuned, texts, {})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast=5:20:5", (5, 10, 15, 20)),
        ("fast=5:7", (5, 6, 7)),
        ("fast=9,3", (3, 9)),
        ("share=0.1:0.4:0.1", ("0.1", "0.2", "0.3", "0.4")),
        ("kind=c,a", ("c", "a")),
        ("kind", ("a", "b", "c")),
        ("loud", (False, True)),
        ("loud=true", (True,)),
    ],
)
def test_a_range_is_a_list_of_values(text: str, values: tuple[object, ...]) -> None:
    assert space(text).dimensions[0].values == values


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((), "give at least one range"),
        (("speed=1:2",), "no parameter speed; there are fast, slow"),
        (("fast=0:3",), "fast=0: must be from 1 to 50"),
        (("fast=1:999999999",), "100000 are the most"),
        (("fast=5:1",), "a range goes up"),
        (("fast=1:5:0",), "a range goes up"),
        (("fast=1:5:-1",), "a range goes up"),
        (("fast=1:5:nan",), "looks like"),
        (("fast=1:2:3:4",), "looks like"),
        (("fast=a:b",), "looks like"),
        (("fast=1:5:0.5",), "takes whole numbers"),
        (("fast=",), "must be a whole number"),
        (("fast=3,3",), "a value twice"),
        (("fast=1:2", "fast=3"), "given twice"),
        (("share",), "needs a range with a step"),
        (("share=0:1",), "needs a step"),
        (("share=Infinity",), "must be a finite number"),
        (("kind=z",), "must be one of a, b, c"),
        (("loud=perhaps",), "must be true or false"),
    ],
)
def test_a_bad_range_is_one_sentence(texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadBacktestError, match=says):
        space(*texts)


@pytest.mark.parametrize(
    ("fixed", "says"),
    [({"slow": "zzz"}, "slow=zzz: must be a whole number"), ({"speed": 1}, "no parameter speed")],
)
def test_a_bad_fixed_value_is_one_sentence(fixed: dict[str, object], says: str) -> None:
    with pytest.raises(BadBacktestError, match=says):
        parse_space(Tuned, ["fast=1:3"], fixed)


def test_a_parameter_is_either_fixed_or_searched() -> None:
    with pytest.raises(BadBacktestError, match="fast is given twice"):
        parse_space(Tuned, ["fast=1:3"], {"fast": 2})


def test_combinations_that_do_not_go_together_are_left_out() -> None:
    points = space("fast=1:3", "slow=2:3").all()
    assert points == [{"fast": 1, "slow": 2}, {"fast": 1, "slow": 3}, {"fast": 2, "slow": 3}]


@pytest.mark.parametrize("ranges", [("fast", "slow"), ("fast", "slow", "share=0:2:0.001")])
def test_a_seed_decides_the_order_and_nothing_comes_twice(ranges: tuple[str, ...]) -> None:
    from itertools import islice

    whole = space(*ranges)
    first, again, other = ([*islice(whole.shuffled(seed), 60)] for seed in (1, 1, 2))
    assert first == again != other
    assert len({tuple(point.items()) for point in first}) == 60
    assert all(whole.is_valid(point) for point in first)


def test_a_large_space_with_nothing_valid_ends() -> None:
    nothing = space("fast=40:50", "slow=2:40", "share=0:2:0.001")
    assert list(nothing.shuffled(1)) == []
