"""A study in the platform's Postgres: machines with the same code and data work on it together.

Nobody hands trials out. Which trials there are follows from the seed and from earlier results, so
each machine works them out by itself, and takes one on by a row with an end in time. A machine that
dies lets go of its trials when that time is over; one that was only slow has finished the same
trial with the same result.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from shared.database.tables.studies import StudyRow, StudyTrialRow
from strategy_workers.backtests.errors import BacktestError, BadBacktestError
from strategy_workers.optimisation.journal import check_name, check_same
from strategy_workers.optimisation.trial import Trial

CLAIM_S = 30.0
_RENEW_S = 5.0


class StudiesAwayError(BacktestError):
    """Postgres can't be reached, or fails. What is finished is stored."""


class SharedStudy:
    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._results: dict[int, Trial] = {}
        self._claimed: set[int] = set()
        self._renewed_s = time.monotonic()

    @classmethod
    def open(
        cls, engine: Engine, name: str, settings: dict[str, Any], *, resume: bool
    ) -> SharedStudy:
        """Raises BadBacktestError, StudiesAwayError; a study that is refused leaves no row."""
        check_name(name)
        with _transaction(engine) as connection:
            if not resume:
                begun = connection.execute(
                    insert(StudyRow)
                    .values(name=name, settings=settings)
                    .on_conflict_do_nothing()
                    .returning(StudyRow.name)
                ).scalar_one_or_none()
                if begun is None:
                    raise BadBacktestError(
                        f"there is a shared study {name} already: --resume joins it"
                    )
            else:
                check_same(_settings(connection, name), settings)
        return cls(engine, name)

    def results(self) -> Mapping[int, Trial]:
        with _transaction(self._engine) as connection:
            finished = connection.execute(
                text("SELECT number FROM study_trials WHERE study = :study AND result IS NOT NULL"),
                {"study": self._name},
            ).scalars()
            new = [number for number in finished if number not in self._results]
            if new:
                self._results |= _trials(connection, self._name, new)
        return self._results

    def claim(self, number: int) -> bool:
        if number in self._claimed:
            return False
        with _transaction(self._engine) as connection:
            taken = connection.execute(
                text(
                    """
                    INSERT INTO study_trials AS t (study, number, owner, claimed_until)
                    VALUES (:study, :number, :owner, now() + make_interval(secs => :claim_s))
                    ON CONFLICT (study, number) DO UPDATE
                       SET owner = excluded.owner, claimed_until = excluded.claimed_until
                     WHERE t.result IS NULL AND t.claimed_until < now()
                    RETURNING t.number
                    """
                ),
                self._own(number=number),
            ).scalar_one_or_none()
        if taken is None:
            return False
        self._claimed.add(number)
        return True

    def keep_claims(self) -> None:
        if time.monotonic() - self._renewed_s < _RENEW_S:
            return
        self._renewed_s = time.monotonic()
        with _transaction(self._engine) as connection:
            connection.execute(
                text(
                    """
                    UPDATE study_trials
                       SET claimed_until = now() + make_interval(secs => :claim_s)
                     WHERE study = :study AND owner = :owner AND result IS NULL
                    """
                ),
                self._own(),
            )

    def finish(self, trial: Trial) -> None:
        with _transaction(self._engine) as connection:
            connection.execute(
                update(StudyTrialRow)
                .where(
                    StudyTrialRow.study == self._name,
                    StudyTrialRow.number == trial.number,
                    # Whoever took it over writes the same.
                    StudyTrialRow.owner == self._owner,
                )
                .values(result=trial.as_json())
            )

    def close(self) -> None:
        """Let go of what isn't finished, so that others needn't wait for it."""
        with _transaction(self._engine) as connection:
            connection.execute(
                text(
                    "DELETE FROM study_trials"
                    " WHERE study = :study AND owner = :owner AND result IS NULL"
                ),
                self._own(),
            )

    def _own(self, **more: Any) -> dict[str, Any]:
        return {"study": self._name, "owner": self._owner, "claim_s": CLAIM_S, **more}


def read_shared(engine: Engine, name: str) -> tuple[dict[str, Any], dict[int, Trial]]:
    """Settings and finished trials. Raises BadBacktestError, StudiesAwayError."""
    with _transaction(engine) as connection:
        settings = _settings(connection, check_name(name))
        return settings, _trials(connection, name, None)


def shared_names(engine: Engine) -> list[str]:
    with _transaction(engine) as connection:
        return list(connection.execute(text("SELECT name FROM studies ORDER BY name")).scalars())


def _settings(connection: Connection, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = connection.execute(
        select(StudyRow.settings).where(StudyRow.name == name)
    ).scalar_one_or_none()
    if found is None:
        raise BadBacktestError(f"there is no shared study {name}")
    return found


def _trials(connection: Connection, name: str, numbers: list[int] | None) -> dict[int, Trial]:
    chosen = select(StudyTrialRow.number, StudyTrialRow.result).where(
        StudyTrialRow.study == name, StudyTrialRow.result.is_not(None)
    )
    if numbers is not None:
        chosen = chosen.where(StudyTrialRow.number.in_(numbers))
    return {
        number: Trial.from_json(result)
        for number, result in connection.execute(chosen)
        if result is not None
    }


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.begin() as connection:
            yield connection
    except ProgrammingError as error:
        raise StudiesAwayError("the database holds no platform: its tables aren't there") from error
    except SQLAlchemyError as error:
        raise StudiesAwayError(
            f"the studies in Postgres can't be reached: {str(error).splitlines()[0]}"
        ) from error
