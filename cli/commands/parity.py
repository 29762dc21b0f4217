"""`tradectl parity`: does a run come out the same as a backtest, and if not, why?"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli.backtests import plans
from cli.backtests.fills import Fills, terms_document
from cli.backtests.tables import print_table
from cli.commands.data import AdminEmail, Url
from cli.commands.options import DataDir, Json
from cli.errors import BadInputError, CliError

if TYPE_CHECKING:
    from cli.client.gateway import Gateway

_LOOK_EVERY_S = 0.2
#: Differences that are shown without --json.
_MOST_SHOWN = 20


def parity(
    account: Annotated[str, typer.Option(help="Id of the account.")],
    deployment: Annotated[str, typer.Option(help="Id of the deployment.")],
    replay: Annotated[
        str | None,
        typer.Option(help="Id of the replay; the newest that it was there for when not given."),
    ] = None,
    fee_bps: plans.FeeBps = None,
    slippage_bps: plans.SlippageBps = None,
    fee: plans.Fee = None,
    slippage: plans.Slippage = None,
    fill_model: plans.FillModel = None,
    strategy_version: Annotated[
        int | None, typer.Option(help="Of an uploaded strategy; as in the run when not given.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(help="Id of a market file in place of those of the replay; repeatable."),
    ] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Make a run of a deployment again as a backtest, and explain each difference.

    With the account's terms as they are now, unless options say otherwise. Exit code 0 when all
    executions are equal, 1 when some differ or it could not be carried out.
    """
    terms = terms_document(Fills(fill_model, fee, slippage, fee_bps, slippage_bps))
    asked = {
        "replay_id": None if replay is None else _id("--replay", replay),
        "paper_terms": terms or None,
        "strategy_version": strategy_version,
        "file_ids": [_id("--file", one) for one in file] if file else None,
    }
    body = {name: value for name, value in asked.items() if value is not None}
    path = (
        f"/accounts/{_id('--account', account)}"
        f"/deployments/{_id('--deployment', deployment)}/parity-reports"
    )
    found = _made(path, body, url, admin_email, data_dir)
    if found["status"] != "done":
        raise CliError(found["error"] or f"the report was {found['status']}")
    if as_json:
        print(json.dumps(found))
    else:
        show(found["report"])
    if found["report"]["verdict"] != "equal":
        raise typer.Exit(1)


def _made(
    path: str,
    body: dict[str, Any],
    url: str | None,
    admin_email: str | None,
    data_dir: Path | None,
) -> Mapping[str, Any]:
    from cli.data.target import signed_in, target

    where = target(url, admin_email, data_dir)

    async def ended(gateway: "Gateway") -> Mapping[str, Any]:
        report = await gateway.call("POST", path, json=body)
        mine = f"{path}/{report['id']}"
        while report["status"] in ("waiting", "running"):
            await asyncio.sleep(_LOOK_EVERY_S)
            report = await gateway.call("GET", mine)
        return report

    async def work() -> Mapping[str, Any]:
        async with signed_in(where) as gateway:
            return await ended(gateway)

    return asyncio.run(work())


def _id(option: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise BadInputError(f"{option} must be an id, not {text}") from None


def show(report: Mapping[str, Any]) -> None:
    print(
        f"{report['verdict']}: {report['equal']} of {report['run_executions']} executions are"
        f" equal, {report['different']} differ"
    )
    for cause, count in sorted(report["by_cause"].items()):
        print(f"  {cause}: {count}")
    for note in report["notes"]:
        print(f"Note: {note}")
    if not report["differences"]:
        return
    print()
    shown = report["differences"][:_MOST_SHOWN]
    print_table(("run", "made again", "because of"), [_row(one) for one in shown])
    if len(report["differences"]) > _MOST_SHOWN:
        print(f"and {report['different'] - _MOST_SHOWN} more: --json has them")


def _row(one: Mapping[str, Any]) -> tuple[str, str, str]:
    causes = ", ".join(
        f"{each['field'] or 'there or not'}: {each['cause']}" for each in one["causes"]
    )
    return _fill(one["run"]), _fill(one["rerun"]), causes


def _fill(fill: Mapping[str, Any] | None) -> str:
    if fill is None:
        return "-"
    return (
        f"{fill['at']} {fill['side']} {fill['qty']} {fill['symbol']} at {fill['price']}"
        f" fee {fill['fee']}"
    )
