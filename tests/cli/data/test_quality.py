"""How scores are shown in a terminal."""

import io

from rich.console import Console

from cli.data.quality import shown


def test_a_line_of_eighty_characters_shows_a_day_whole() -> None:
    item = {
        "symbol": "SIM-TREND", "day": "2026-11-21", "score": 47.5, "expected": 1440,
        "present": 1000, "quiet": 40, "partial": 3, "healed": 118, "corrected": 2,
        "sources": ["yahoo"],
    }  # fmt: skip
    text = io.StringIO()
    Console(file=text, width=80).print(shown([item]))
    header, line = (each.split() for each in text.getvalue().splitlines())
    assert dict(zip(header, line, strict=True)) == {
        "symbol": "SIM-TREND", "day": "2026-11-21", "score": "47.5", "expected": "1440",
        "missing": "400", "partial": "3", "healed": "118", "corrected": "2", "sources": "yahoo",
    }  # fmt: skip
