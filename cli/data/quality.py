"""Scores of stored candles, as the platform works them out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cli.client.gateway import Gateway

if TYPE_CHECKING:
    from rich.table import Table

_PAGE = 500
#: Widths at which a line of 80 characters shows all of it.
_COLUMNS = {
    "symbol": 9,
    "day": 10,
    "score": 5,
    "expected": 8,
    "missing": 7,
    "partial": 7,
    "healed": 6,
    "corrected": 9,
    "sources": 6,
}


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

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for title, width in _COLUMNS.items():
        left = title in ("symbol", "day", "sources")
        justify: Literal["left", "right"] = "left" if left else "right"
        table.add_column(title, justify=justify, min_width=width, no_wrap=True)
    for one in items:
        missing = one["expected"] - one["present"] - one["quiet"]
        told = {**one, "missing": missing, "sources": ", ".join(one["sources"])}
        table.add_row(*(str(told[title]) for title in _COLUMNS))
    return table
