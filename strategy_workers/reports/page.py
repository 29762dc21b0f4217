"""The frame of every report: headings, tables, style. Whatever comes from outside is escaped."""

from collections.abc import Sequence
from html import escape

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--paper:#fff;--rule:#d8dde3;
--c0:#1f6feb;--c1:#b5520b;--c2:#1a7f37;--c3:#8250df;--gain:#1a7f37;--loss:#cf222e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--paper:#0d1117;
--rule:#30363d;--c0:#58a6ff;--c1:#f0883e;--c2:#3fb950;--c3:#bc8cff;--gain:#3fb950;--loss:#f85149}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--rule);text-align:left}
td.n,th.n{text-align:right}.soft{color:var(--soft)}.warning{color:var(--loss)}
.scroll{overflow-x:auto}svg{width:100%;height:auto}
.tick{fill:var(--soft);font-size:11px}.key{font-size:12px}
.grid{stroke:var(--rule)}.seam{stroke:var(--soft);stroke-dasharray:3 3}
.line{fill:none;stroke-width:1.5}.area{opacity:.25;stroke:none}
.line.c0{stroke:var(--c0)}.line.c1{stroke:var(--c1)}.line.c2{stroke:var(--c2)}
.line.c3{stroke:var(--c3)}.area.c0{fill:var(--loss)}
.key.c0{fill:var(--c0)}.key.c1{fill:var(--c1)}.key.c2{fill:var(--c2)}.key.c3{fill:var(--c3)}
.gain{fill:var(--gain)}.loss{fill:var(--loss)}.dot{fill:var(--c0);opacity:.6}
"""


def page(title: str, parts: Sequence[str]) -> str:
    """One HTML file; `parts` are HTML already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def paragraph(text: str, kind: str = "soft") -> str:
    return f'<p class="{kind}">{escape(text)}</p>'


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    return _table(
        "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    kinds = ["", *['class="n"'] * (len(heads) - 1)]
    head = "".join(
        f"<th {kind}>{escape(name)}</th>" for kind, name in zip(kinds, heads, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td {kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return _table(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def _table(inside: str) -> str:
    return f'<div class="scroll"><table>{inside}</table></div>'
