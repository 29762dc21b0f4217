"""Records are what was written, or an error that says what is wrong."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from strategy_workers.backtests.errors import BadBacktestError
from strategy_workers.records.record import DamagedRecordError, Record, record_of
from strategy_workers.records.store import RecordStore

AT = datetime(2026, 1, 2, tzinfo=UTC)


def a_record(equity: str = "100", at: datetime = AT) -> Record:
    return record_of({"settings": {"strategy": "one"}, "equity": equity}, (Path("a.csv"),), at)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "new")
    record = a_record()
    store.add(record)
    assert list(store.all()) == [record]
    assert store.find(record.id) == store.find(record.id[:4]) == store.find("last") == record


def test_the_same_result_is_one_record_of_its_first_time(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add(a_record())
    store.add(a_record(at=AT + timedelta(days=1)))
    assert [record.recorded_at for record in store.all()] == [AT]


def test_records_are_listed_oldest_first(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    for days in (2, 0, 1):
        store.add(a_record(str(days), AT + timedelta(days=days)))
    assert [record.result["equity"] for record in store.all()] == ["0", "1", "2"]
    assert store.find("last").result["equity"] == "2"


@pytest.mark.parametrize("name", ["nope", "last", "../a", "*", "", "a/b"])
def test_a_name_that_is_no_record_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadBacktestError):
        RecordStore(tmp_path / "none").find(name)


def test_an_ambiguous_beginning_is_refused(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    for n in range(17):  # two of 17 begin with the same of 16 digits
        store.add(a_record(str(n)))
    ids = sorted(record.id for record in store.all())
    twice = next(a for a, b in pairwise(ids) if a[0] == b[0])
    with pytest.raises(BadBacktestError, match="give more of the id"):
        store.find(twice[0])


def _changed(body: dict[str, Any]) -> str:
    return json.dumps({**body, "result": {**body["result"], "equity": "1000000"}})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_changed, "was changed after it was written"),
        (lambda body: json.dumps({**body, "version": 99}), "is of version 99"),
        (lambda body: json.dumps(body)[:40], "is not a record"),
        (lambda _body: "[]", "is not a record"),
        (lambda body: json.dumps({**body, "recorded_at": "soon"}), "is not a record"),
    ],
)
def test_a_damaged_record_is_named_and_not_shown(tmp_path: Path, damage: Any, says: str) -> None:
    store = RecordStore(tmp_path)
    path = store.add(a_record())
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(DamagedRecordError, match=says):
        list(store.all())
