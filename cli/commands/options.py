"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from cli.supervisor.folder import DataFolder
from cli.supervisor.instance import default_data_folder

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the instance; TRADING_DATA_DIR or .data when not given.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def data_folder(given: Path | None) -> DataFolder:
    return DataFolder((given or default_data_folder()).expanduser().resolve())
