"""Scores of stored candles, as the platform works them out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.client.gateway import Gateway

if TYPE_CHECKING:
    from rich.table import Table

_PAGE = 500
_NUMBERS = ("score", "expected", "present", "quiet", "partial", "healed", "corrected")


@dataclass(frozen=True)
class Asked:
    symbols: list[str]
    timeframe: str
    first: str | None
    last: str | None
    below: float | None


async def quality_of(gateway: Gateway, asked: Asked) -> list[dict[str, Any]]:
    """All pages."""
    params: dict[str, Any] = {"timeframe": asked.timeframe, "limit": _PAGE}
    named = {"from": asked.first, "to": asked.last, "below": asked.below}
    params |= {name: value for name, value in named.items() if value is not None}
    if asked.symbols:
        params["symbol"] = asked.symbols
    items: list[dict[str, Any]] = []
    while True:
        page = await gateway.call("GET", "/market-data/quality", params=params)
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        params["cursor"] = page["next_cursor"]


def shown(items: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("symbol", "day", *_NUMBERS, "gap", "sources"):
        right = title in (*_NUMBERS, "gap")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for one in items:
        numbers = [str(one[name]) for name in (*_NUMBERS, "longest_gap")]
        table.add_row(one["symbol"], one["day"], *numbers, ", ".join(one["sources"]))
    return table
