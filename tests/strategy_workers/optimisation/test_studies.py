"""A study comes out the same however it was worked on."""

import json
import random
from pathlib import Path

import pytest

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.optimisation.journal import Journal, check_name, read_journal
from strategy_workers.optimisation.objectives import ObjectiveRaisedError, parse_objective
from strategy_workers.optimisation.samplers import make_sampler
from strategy_workers.optimisation.space import Point, parse_space
from strategy_workers.optimisation.study import counted, has_stopped, ranked
from strategy_workers.optimisation.trial import Trial
from tests.strategy_workers.optimisation.support import METRICS, Tuned, a_trial

SETTINGS = {"version": 1, "search": "grid", "run": {"strategy": "tuned", "capital": "100"}}


def hill(point: Point) -> float | None:
    """Best at fast 30, slow 50; undefined where the two are near."""
    if point["slow"] - point["fast"] < 3:
        return None
    return -float(abs(point["fast"] - 30) + abs(point["slow"] - 50))


def worked(search: str, trials: int, seed: int, order_seed: int | None) -> list[Trial]:
    """Work through a study; with a seed trials end in a random order, and it's resumed often."""
    space = parse_space(Tuned, ["fast", "slow"], {})
    sampler = make_sampler(search, space, trials, seed)  # type: ignore[arg-type]
    numbers = random.Random(order_seed)
    results: dict[int, Trial] = {}
    while len(results) < trials:
        if order_seed is not None:
            sampler = make_sampler(search, space, trials, seed)  # type: ignore[arg-type]
        points = sampler.points(results)
        waiting = [n for n in range(len(points)) if n not in results]
        if order_seed is not None:
            waiting = numbers.sample(waiting, max(1, len(waiting) // 2))
        for number in waiting:
            results[number] = a_trial(number, hill(points[number]), points[number])
    return counted(results, None)


@pytest.mark.parametrize(("search", "trials"), [("random", 200), ("bayes", 40)])
def test_order_and_interruptions_change_nothing(search: str, trials: int) -> None:
    assert worked(search, trials, 3, None) == worked(search, trials, 3, order_seed=1)
    points = [json.dumps(one.point) for one in worked(search, trials, 3, None)]
    assert len(set(points)) == trials


def test_bayes_finds_more_than_chance() -> None:
    def best(search: str) -> float:
        found = [ranked(worked(search, 40, seed, None))[0].score or 0.0 for seed in (1, 2, 3)]
        return sum(found)

    assert best("bayes") > best("random")


def test_bayes_ends_when_the_space_is_used_up() -> None:
    space = parse_space(Tuned, ["kind", "loud", "fast=1:4"], {})
    sampler = make_sampler("bayes", space, 100, 1)
    results: dict[int, Trial] = {}
    for _ in range(10):
        for number, point in enumerate(sampler.points(results)):
            results[number] = a_trial(number, 1.0, point)
    assert len(results) == space.size == 24


@pytest.mark.parametrize(
    ("search", "ranges", "trials", "says"),
    [
        ("grid", ["fast", "slow", "share=0:2:0.001"], None, "100000 are the most"),
        ("grid", ["fast"], 3, "the grid has 19 combinations, more than --trials 3"),
        ("random", ["fast"], None, "needs --trials"),
        ("grid", ["fast=50"], None, "takes none of the combinations"),
        ("bayes", ["fast=50"], 9, "takes none of the combinations"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_sentence(
    search: str, ranges: list[str], trials: int | None, says: str
) -> None:
    with pytest.raises(BadBacktestError, match=says):
        make_sampler(search, parse_space(Tuned, ranges, {}), trials, 0)  # type: ignore[arg-type]


def test_a_study_stops_at_the_same_trial_whatever_was_finished_beyond_it() -> None:
    scores = [1.0, 3.0, 2.0, None, 1.0, 9.0]
    results = {n: a_trial(n, score) for n, score in enumerate(scores)}
    found = counted(results, 3)
    assert [trial.number for trial in found] == [0, 1, 2, 3, 4]
    assert has_stopped(found, 3)
    assert ranked(found)[0].number == 1
    assert not has_stopped(counted(results, None), None)
    # With a hole nothing after it counts yet.
    del results[1]
    assert [trial.number for trial in counted(results, 3)] == [0]


def test_a_study_where_nothing_can_be_ranked_stops_too() -> None:
    found = counted({n: a_trial(n, None) for n in range(9)}, 4)
    assert len(found) == 4
    assert has_stopped(found, 4)


def test_equal_scores_rank_by_their_number() -> None:
    assert [one.number for one in ranked([a_trial(1, 1.0), a_trial(0, 1.0)])] == [0, 1]


# --- the journal -------------------------------------------------------------------------------


def test_a_line_that_a_crash_cut_short_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    journal = Journal.open(path, SETTINGS, resume=False)
    for number in range(3):
        journal.finish(a_trial(number, float(number)))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    resumed = Journal.open(path, SETTINGS, resume=True)
    assert sorted(resumed.results()) == [0, 1]
    assert not resumed.claim(1)
    assert resumed.claim(2)
    resumed.finish(a_trial(2, 2.0))
    resumed.close()
    assert path.read_bytes() == whole
    assert read_journal(path)[1] == {n: a_trial(n, float(n)) for n in range(3)}


def test_a_study_of_other_data_or_settings_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    Journal.open(path, SETTINGS, resume=False).close()
    before = path.read_bytes()
    other = {**SETTINGS, "search": "bayes", "run": {"strategy": "tuned", "capital": "7"}}
    with pytest.raises(BadBacktestError, match="begun with other search, capital"):
        Journal.open(path, other, resume=True)
    assert path.read_bytes() == before


def test_two_processes_do_not_work_on_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    first = Journal.open(path, SETTINGS, resume=False)
    with pytest.raises(BadBacktestError, match="another process is at work"):
        Journal.open(path, SETTINGS, resume=True)
    first.close()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_a_study_has_a_name_that_fits_into_a_folder(name: str) -> None:
    with pytest.raises(BadBacktestError, match="a study's name is"):
        check_name(name)


def test_a_study_is_begun_once_and_resumed_only_when_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    with pytest.raises(BadBacktestError, match="no study one to resume"):
        Journal.open(path, SETTINGS, resume=True)
    Journal.open(path, SETTINGS, resume=False).close()
    with pytest.raises(BadBacktestError, match="--resume goes on with it"):
        Journal.open(path, SETTINGS, resume=False)


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", '{"version": 9}\n', "hello\n"])
def test_what_is_no_study_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(BadBacktestError, match=r"bad\.jsonl"):
        read_journal(path)


# --- objectives --------------------------------------------------------------------------------


def test_an_objective_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "def good(metrics): return metrics['sharpe'] * metrics['trades']\n"
        "def silent(metrics): return None\n"
        "def bad(metrics): return float('nan')\n"
        "def wrong(metrics): return 'much'\n"
        "def raises(metrics): return metrics['no_such']\n"
    )
    assert parse_objective(f"{path}:good").score(METRICS) == 7.0
    assert parse_objective(f"{path}:silent").score(METRICS) is None
    for name in ("bad", "wrong", "raises"):
        with pytest.raises(ObjectiveRaisedError):
            parse_objective(f"{path}:{name}").score(METRICS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("luck", "there is no objective luck"),
        ("mine.txt:good", "there is no objective"),
        ("/no/such.py:good", "can't read"),
    ],
)
def test_an_objective_that_is_not_there_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(BadBacktestError, match=says):
        parse_objective(text)


def test_a_smaller_drawdown_is_better() -> None:
    deep = {**METRICS, "max_drawdown_fraction": 0.5}
    objective = parse_objective("drawdown")
    assert (objective.score(METRICS) or 0.0) > (objective.score(deep) or 0.0)
