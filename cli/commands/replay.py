"""`tradectl replay`: a day of trades, or a made-up one, through the whole platform."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.data import AdminEmail, Url
from cli.commands.options import DataDir, Json
from cli.errors import BadInputError

if TYPE_CHECKING:
    from cli.client.gateway import Gateway

replay = typer.Typer(
    help="Replays on a running platform.", no_args_is_help=True, rich_markup_mode=None
)

ReplayId = Annotated[
    str | None, typer.Option("--replay", help="Id; the running one when not given.")
]
Speed = Annotated[str, typer.Option(help="0.5 to 100 times as fast as the market, or max.")]


@replay.command()
def start(
    files: Annotated[
        list[Path], typer.Argument(help="Files of trades and quotes.", show_default=False)
    ],
    speed: Speed = "max",
    start_at: Annotated[
        str | None, typer.Option("--from", help="Pass over what is earlier.")
    ] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Upload files, those that aren't there yet, and replay them merged by time."""
    for file in files:
        if not file.is_file():
            raise BadInputError(f"there is no file {file}")
    body: dict[str, Any] = {"speed": _speed(speed)}
    if start_at is not None:
        body["start_at"] = start_at

    async def work(gateway: "Gateway") -> Any:
        ids = [(await gateway.upload(file))["id"] for file in files]
        return await gateway.call("POST", "/replays", json={"files": ids, **body})

    _show([_run(work, url, admin_email, data_dir)], as_json=as_json)


@replay.command("list")
def list_replays(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 20,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Runs, newest first."""

    async def work(gateway: "Gateway") -> Any:
        return (await gateway.call("GET", "/replays", params={"limit": limit}))["items"]

    _show(_run(work, url, admin_email, data_dir), as_json=as_json)


def _button(name: str, does: str) -> None:
    """A command that says no more than its name."""

    def press(
        replay_id: ReplayId = None,
        data_dir: DataDir = None,
        url: Url = None,
        admin_email: AdminEmail = None,
        *,
        as_json: Json = False,
    ) -> None:
        _show([_press(name, None, replay_id, url, admin_email, data_dir)], as_json=as_json)

    replay.command(name, help=does)(press)


_button("pause", "Hold market time for everyone.")
_button("resume", "Let a paused replay go on.")
_button("stop", "End it.")


@replay.command()
def speed(
    wanted: Annotated[
        str, typer.Argument(metavar="SPEED", help="0.5 to 100, or max.", show_default=False)
    ],
    replay_id: ReplayId = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Change how fast it goes."""
    body = {"speed": _speed(wanted)}
    _show([_press("speed", body, replay_id, url, admin_email, data_dir)], as_json=as_json)


@replay.command()
def seek(
    to: Annotated[str, typer.Argument(help="Such as 2026-03-19T15:30:00Z.", show_default=False)],
    replay_id: ReplayId = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Pass over the market up to a later minute."""
    _show([_press("seek", {"to": to}, replay_id, url, admin_email, data_dir)], as_json=as_json)


def _press(
    button: str,
    body: dict[str, Any] | None,
    replay_id: str | None,
    url: str | None,
    admin_email: str | None,
    data_dir: Path | None,
) -> Any:
    async def work(gateway: "Gateway") -> Any:
        chosen = replay_id or await _running(gateway)
        return await gateway.call("POST", f"/replays/{chosen}/{button}", json=body)

    return _run(work, url, admin_email, data_dir)


async def _running(gateway: "Gateway") -> str:
    """There is never more than one, and it is among the newest."""
    newest = (await gateway.call("GET", "/replays", params={"limit": 10}))["items"]
    for one in newest:
        if one["status"] == "running":
            return str(one["id"])
    raise BadInputError("no replay is running")


def _run(
    work: Callable[["Gateway"], Awaitable[Any]],
    url: str | None,
    admin_email: str | None,
    data_dir: Path | None,
) -> Any:
    from cli.data.target import signed_in, target

    where = target(url, admin_email, data_dir)

    async def signed_in_work() -> Any:
        async with signed_in(where) as gateway:
            return await work(gateway)

    return asyncio.run(signed_in_work())


def _speed(text: str) -> str | float:
    if text == "max":
        return text
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.5 <= number <= 100:
        raise BadInputError(f"the speed is 0.5 to 100, or max, not {text}")
    return number


def _show(replays: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"items": replays}))
        return
    for one in replays:
        print(line(one))


def line(one: dict[str, Any]) -> str:
    """A run in one line."""
    parts = [one["id"], one["state"] or one["status"], ",".join(one["symbols"])]
    if one["speed"] is not None:
        parts.append("max" if one["speed"] == "max" else f"{one['speed']:g}x")
    if one["market_time"] is not None:
        parts.append(f"at {one['market_time']}")
    if one["progress"] is not None:
        parts.append(f"{one['progress']:.1%}")
    if one["error"] is not None:
        parts.append(one["error"])
    return "  ".join(parts)
