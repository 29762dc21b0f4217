"""The guide's example is a strategy that runs."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from strategy_workers.sdk import Strategy
from tests.strategy_workers.test_sma_crossover import Trading, deployed

_GUIDE = Path(__file__).parents[2] / "docs" / "strategy-authors.md"


def test_the_first_example_trades_as_it_says() -> None:
    example = re.search(r"```python\n(from strategy_workers.*?)```", _GUIDE.read_text(), re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(example[1], names)
    crossover: type[Strategy] = names["Crossover"]
    deployment = deployed(strategy=crossover)
    orders = Trading(deployment).feed([*[100.0] * 5, 101, 102, 103, 104, 103, 100, 97])
    assert orders == [(6, "buy", Decimal(1)), (11, "sell", Decimal(1))]
