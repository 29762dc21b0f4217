"""The universe as a table: which symbol is in which tier. Pure."""

from collections.abc import Mapping, Sequence

from market_data_engine.csv_rows import TableError, at_line, read_rows
from market_data_engine.providers.configuration import MOST_SYMBOLS, TIERS, Tier
from shared.market_files.lines import is_symbol

_COLUMNS = ("symbol", "tier")


def members_of(content: bytes) -> dict[Tier, list[str]]:
    """Of CSV with the columns `symbol` and `tier`. Raises TableError with all that is wrong."""
    found: dict[Tier, list[str]] = {tier: [] for tier in TIERS}
    seen: dict[str, int] = {}
    faults = []
    for row in read_rows(content, _COLUMNS, most=len(TIERS) * MOST_SYMBOLS):
        symbol, named = row.cells["symbol"], row.cells["tier"]
        tier = next((one for one in TIERS if one == named), None)
        if tier is None:
            faults.append(
                at_line(row.line, f"{named!r} is no tier; these are: {', '.join(TIERS)}.")
            )
        if not is_symbol(symbol):
            faults.append(at_line(row.line, f"{symbol!r} is no symbol."))
        elif symbol in seen:
            faults.append(at_line(row.line, f"{symbol} is on line {seen[symbol]} already."))
        elif tier is not None:
            found[tier].append(symbol)
        seen.setdefault(symbol, row.line)
    faults += [
        f"{tier} has more than {MOST_SYMBOLS} symbols."
        for tier, symbols in found.items()
        if len(symbols) > MOST_SYMBOLS
    ]
    if faults:
        raise TableError(faults)
    return found


def as_table(members: Mapping[Tier, Sequence[str]]) -> str:
    """What `members_of` reads."""
    rows = [f"{symbol},{tier}" for tier in TIERS for symbol in members.get(tier, ())]
    return "\n".join([",".join(_COLUMNS), *rows, ""])
