import json
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.options import Json
from cli.errors import BadInputError, CliError


def validate_strategy(
    path: Annotated[Path, typer.Argument(help="A .py file, a .zip of some, or their folder.")],
    *,
    unconfined: Annotated[
        bool,
        typer.Option(
            "--unconfined",
            help="Run it with all that you may do yourself: for code that you trust, on machines "
            "that can't confine it.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Try a strategy as the platform would: import it, and run it over made-up candles.

    It runs in a process of its own, without files, network or anything else of this machine.
    """
    from strategy_workers.sandbox.process import Limits
    from strategy_workers.sandbox.source import BadSourceError
    from strategy_workers.sandbox.validation import validate

    try:
        files = _read(path)
    except BadSourceError as error:
        raise BadInputError(str(error)) from None
    report = validate(files, Limits(confined=not unconfined))
    if as_json:
        findings = [
            {"check": one.check, "passed": one.passed, "said": one.said} for one in report.findings
        ]
        print(json.dumps({"valid": report.valid, "findings": findings}))
    else:
        for one in report.findings:
            print(f"{'ok' if one.passed else 'FAILED':<8}{one.check:<12}{one.said}")
    if not report.valid:
        raise CliError(f"{path} can't be run as it is")


def _read(path: Path) -> dict[str, bytes]:
    from strategy_workers.sandbox.archive import files_of

    try:
        if path.is_dir():
            return {
                str(one.relative_to(path)): one.read_bytes() for one in sorted(path.rglob("*.py"))
            }
        return files_of(path.name, path.read_bytes())
    except OSError as error:
        raise BadInputError(f"{path} can't be read: {error.strerror}") from None
