import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cli.commands.options import DataDir, Json, data_folder
from cli.errors import BadInputError, CliError

T = TypeVar("T")

PASSWORD_VARIABLE = "DEMO_ADMIN_PASSWORD"  # noqa: S105 - a name, not a password


def demo(
    trades: Annotated[
        list[Path] | None,
        typer.Option(help="CSV of trades, gzipped or not; several are merged by time."),
    ] = None,
    strategy: Annotated[str, typer.Option(help="Name in the strategy library.")] = "sma_crossover",
    timeframe: Annotated[str, typer.Option(help="Candles that the strategy decides on.")] = "1m",
    param: Annotated[
        list[str] | None, typer.Option(help="Strategy parameter as name=value; repeatable.")
    ] = None,
    capital: Annotated[str, typer.Option(help="Paper money of the account.")] = "100000",
    data_dir: DataDir = None,
    url: Annotated[
        str | None, typer.Option(help="Use this gateway instead of starting a platform.")
    ] = None,
    admin_email: Annotated[
        str | None, typer.Option(help=f"Admin of that gateway; password in {PASSWORD_VARIABLE}.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Replay trades through the whole platform to a strategy, and show what came of it.

    Without --trades, a synthetic market with a fixed seed. Without --url, on a platform of
    its own that is stopped, and without --data-dir removed, afterwards.
    """
    _check_target(url, admin_email, data_dir)
    from cli.demo.plan import make_plan

    plan = make_plan(trades or [], strategy, timeframe, param or [], capital)

    from cli.demo.platform import own_platform
    from cli.demo.run import Admin, run_demo
    from cli.demo.view import progress_bar, show_report

    try:
        if url is not None and admin_email is not None:
            admin = Admin(admin_email, os.environ[PASSWORD_VARIABLE])
            with progress_bar() as show:
                report = _run(lambda: run_demo(url, admin, plan, show))
        else:
            folder = None if data_dir is None else data_folder(data_dir).path
            with own_platform(folder) as platform, progress_bar() as show:
                report = _run(lambda: run_demo(platform.url, platform.admin, plan, show))
    except KeyboardInterrupt:
        raise CliError("interrupted; everything was stopped") from None
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        show_report(report)


def _check_target(url: str | None, admin_email: str | None, data_dir: Path | None) -> None:
    if url is None:
        if admin_email is not None:
            raise BadInputError("--admin-email belongs to --url")
        return
    if not url.startswith(("http://", "https://")):
        raise BadInputError(f"--url must begin with http:// or https://, not {url}")
    if data_dir is not None:
        raise BadInputError("--data-dir and --url exclude each other")
    if admin_email is None or not os.environ.get(PASSWORD_VARIABLE):
        raise BadInputError(f"--url needs --admin-email, and the password in {PASSWORD_VARIABLE}")


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it; SIGTERM ends it as Ctrl-C does."""

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work()

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
