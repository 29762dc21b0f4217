"""A finished backtest as it is kept: what was asked, of which code and data, and what came out."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from strategy_workers.backtests.errors import BacktestError

VERSION = 1
_ID_CHARS = 16


class DamagedRecordError(BacktestError):
    """A record that isn't what was written, or that another version has written."""


@dataclass(frozen=True)
class Record:
    #: From the content: a run that is repeated exactly has the same one.
    id: str
    #: Summary and details, as in `backtest.json`.
    result: dict[str, Any]
    #: Where the files of `settings` were, in the same order.
    paths: tuple[str, ...]
    recorded_at: datetime

    @property
    def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.result["settings"]
        return settings


def record_of(result: dict[str, Any], paths: tuple[Path, ...], at: datetime) -> Record:
    return Record(_id_of(result), result, tuple(str(path.resolve()) for path in paths), at)


def encoded(record: Record) -> str:
    return json.dumps(
        {
            "version": VERSION,
            "kind": "backtest",
            "id": record.id,
            "recorded_at": record.recorded_at.isoformat(),
            "paths": record.paths,
            "result": record.result,
        }
    )


def decoded(text: str, name: str) -> Record:
    """Raises DamagedRecordError."""
    try:
        body = json.loads(text)
        if body["version"] != VERSION:
            raise DamagedRecordError(
                f"{name} is of version {body['version']}, and this platform reads {VERSION}"
            )
        record = Record(
            str(body["id"]),
            body["result"],
            tuple(str(path) for path in body["paths"]),
            datetime.fromisoformat(body["recorded_at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedRecordError(f"{name} is not a record of a backtest") from error
    if body.get("kind") != "backtest" or _id_of(record.result) != record.id:
        raise DamagedRecordError(f"{name} was changed after it was written")
    return record


def _id_of(result: dict[str, Any]) -> str:
    text = json.dumps(result, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_CHARS]
