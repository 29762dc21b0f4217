"""One hash that says whether two runs traded alike, wherever they ran."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def executions_digest(executions: Iterable[dict[str, Any]]) -> str:
    """SHA-256 over one line for each execution, in the account's order.

    A line is `time|symbol|side|qty|price|fee`: market time as `YYYY-MM-DDTHH:MM:SS.ffffffZ`,
    numbers as plain decimals without trailing zeros. Ids are left out, so that two runs of the
    same input in two accounts have the same digest.
    """
    digest = hashlib.sha256()
    for execution in executions:
        fields = (
            _utc(execution["at"]),
            execution["symbol"],
            execution["side"],
            *(plain(execution[name]) for name in ("qty", "price", "fee")),
        )
        digest.update(("|".join(fields) + "\n").encode())
    return digest.hexdigest()


def plain(number: str | float | Decimal) -> str:
    """A decimal's shortest plain text: no exponent, no trailing zeros, no negative zero."""
    text = format(Decimal(str(number)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
