import re
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import BadInputError

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_SOURCE = """from strategy_workers.sdk import SMA, Candle, IntParameter, Strategy


class {class_name}(Strategy):
    name = "{name}"
    title = "{title}"
    description = "Long while the close is above its average."

    period = IntParameter(default=20, low=2, high=500, help="Candles in the average")

    def on_start(self) -> None:
        self.average = self.indicator(SMA, self.period)

    def on_candle(self, candle: Candle) -> None:
        average = self.average[candle.symbol]
        if average is None:
            return
        if candle.close > average:
            self.target_position(candle.symbol, self.lot_size(candle.symbol), reason="above")
        else:
            self.close(candle.symbol, reason="below")
"""


def new_strategy(
    name: Annotated[str, typer.Argument(help="Small letters, digits and underscores.")],
    folder: Annotated[Path, typer.Option(help="Where the file goes.")] = Path(),
) -> None:
    """Write a small strategy that runs, to begin with."""
    if not _NAME.fullmatch(name):
        raise BadInputError(
            f"a strategy's name is 2 to 40 small letters, digits and underscores, and begins with "
            f"a letter; {name!r} is none"
        )
    path = folder / f"{name}.py"
    title = name.replace("_", " ").capitalize()
    class_name = "".join(word.capitalize() for word in name.split("_"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(_SOURCE.format(name=name, title=title, class_name=class_name))
    except FileExistsError:
        raise BadInputError(f"{path} is there already") from None
    except OSError as error:
        raise BadInputError(f"{path} can't be written: {error.strerror}") from None
    print(f"{path} is written; next: tradectl validate-strategy {path}")
