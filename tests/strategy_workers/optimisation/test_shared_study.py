"""Machines that share a study: each trial is done once, and none is lost with a machine."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from shared.config import Settings
from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.optimisation.kept import names_in, read_study
from strategy_workers.optimisation.shared_study import SharedStudy, StudiesAwayError
from tests.strategy_workers.backtests.support import walk, write_candles
from tests.strategy_workers.optimisation.support import a_trial

SETTINGS: dict[str, Any] = {"version": 1, "search": "grid", "run": {"strategy": "tuned"}}


def test_a_trial_is_taken_on_by_one_machine(engine: Engine) -> None:
    first = SharedStudy.open(engine, "one", SETTINGS, resume=False)
    second = SharedStudy.open(engine, "one", SETTINGS, resume=True)
    assert first.claim(0)
    assert not first.claim(0)
    assert not second.claim(0)
    assert second.claim(1)
    first.finish(a_trial(0, 0.1 + 0.2))
    assert first.results() == second.results() == {0: a_trial(0, 0.1 + 0.2)}
    assert read_study(engine, "one") == (SETTINGS, {0: a_trial(0, 0.1 + 0.2)})
    assert names_in(engine) == ["one"]


def test_trials_of_a_machine_that_died_go_to_others_and_those_of_one_that_left_at_once(
    engine: Engine,
) -> None:
    dead = SharedStudy.open(engine, "one", SETTINGS, resume=False)
    other = SharedStudy.open(engine, "one", SETTINGS, resume=True)
    assert dead.claim(0)
    assert dead.claim(1)
    dead.finish(a_trial(0, 1.0))
    with engine.begin() as connection:
        connection.execute(text("UPDATE study_trials SET claimed_until = now() - interval '1 s'"))
    assert not other.claim(0), "it is finished"
    assert other.claim(1)
    # It was only asleep: what it writes now doesn't count, and is the same anyway.
    dead.finish(a_trial(1, 5.0))
    assert sorted(other.results()) == [0]
    dead.close()
    other.finish(a_trial(1, 5.0))
    assert sorted(other.results()) == [0, 1]
    assert other.claim(2)
    other.close()
    assert dead.claim(2)


def test_a_study_is_begun_once_and_joined_with_the_same_settings_only(engine: Engine) -> None:
    with pytest.raises(BadBacktestError, match="there is no shared study one"):
        SharedStudy.open(engine, "one", SETTINGS, resume=True)
    SharedStudy.open(engine, "one", SETTINGS, resume=False)
    with pytest.raises(BadBacktestError, match="--resume joins it"):
        SharedStudy.open(engine, "one", SETTINGS, resume=False)
    with pytest.raises(BadBacktestError, match="begun with other search"):
        SharedStudy.open(engine, "one", {**SETTINGS, "search": "bayes"}, resume=True)


def test_a_database_without_a_platform_is_one_sentence(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE study_trials, studies"))
    with pytest.raises(StudiesAwayError, match="holds no platform"):
        SharedStudy.open(engine, "one", SETTINGS, resume=False)


def test_two_machines_at_once_come_to_what_one_comes_to(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    path = write_candles(tmp_path / "AAA.csv", walk(1, 400))
    database = {
        "DB_HOST": settings.db_host,
        "DB_PORT": str(settings.db_port),
        "DB_NAME": settings.db_name,
        "DB_USER": settings.db_user,
        "DB_PASSWORD": settings.db_password.get_secret_value(),
    }
    command = [
        sys.executable, "-m", "cli", "hyperopt", "--strategy", "sma_crossover", "--exchange",
        "24/7", "--candles", str(path), "--space", "fast=2:4", "--space", "slow=8,12", "--json",
        "--jobs", "1",
    ]  # fmt: skip
    shared = [*command, "--study", "both", "--shared"]
    environment = {**os.environ, **database}
    alone = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    first = subprocess.Popen(shared, env=environment, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while "both" not in names_in(engine):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = subprocess.Popen(
        [*shared, "--resume"], env=environment, stdout=subprocess.PIPE, text=True
    )
    answers = [one.communicate(timeout=100)[0] for one in (first, second)]
    assert answers == [alone.stdout, alone.stdout]
