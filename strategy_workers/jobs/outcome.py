"""What a job leaves in its folder besides its outcome."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

from strategy_workers.jobs.request import RESULT_FILE


def write_result(folder: Path, result: dict[str, Any]) -> None:
    (folder / RESULT_FILE).write_bytes(gzip.compress(json.dumps(result).encode(), mtime=0))


def digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
