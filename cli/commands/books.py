"""`tradectl books`: do they add up?"""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

from cli.commands.data import AdminEmail, Url
from cli.commands.options import DataDir, Json
from cli.errors import BadInputError, CliError

books = typer.Typer(
    help="Cash, positions and executions of a running platform.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_LOOK_EVERY_S = 0.2


@books.callback()
def _group() -> None:
    """Keeps `verify` a command of its own while it is the only one."""


@books.command()
def verify(
    account: Annotated[
        str | None, typer.Option(help="Id of one account; all when not given.")
    ] = None,
    data_dir: DataDir = None,
    url: Url = None,
    admin_email: AdminEmail = None,
    *,
    as_json: Json = False,
) -> None:
    """Work all books out again from executions and cash entries, and compare.

    Exit code 1 when something differs, or the check could not be carried out.
    """
    body = {} if account is None else {"account_id": _account_id(account)}

    from cli.data.target import signed_in, target

    where = target(url, admin_email, data_dir)

    async def work() -> Mapping[str, Any]:
        async with signed_in(where) as gateway:
            check = await gateway.call("POST", "/admin/books-checks", json=body)
            while check["status"] == "running":
                await asyncio.sleep(_LOOK_EVERY_S)
                check = await gateway.call("GET", f"/admin/books-checks/{check['id']}")
            return check

    check = asyncio.run(work())
    print(json.dumps(check) if as_json else report(check))
    if check["status"] != "done":
        raise CliError(f"the check was not carried out: {check['error']}")
    if check["differences"]:
        raise CliError(f"{check['differences']} things differ in the books")


def report(check: Mapping[str, Any]) -> str:
    lines = [f"{check['books']} books with {check['executions']} executions were worked out again."]
    lines += [
        f"{one['account_id']} {one['mode']} {one['check']} {one['item']}:"
        f" expected {one['expected']}, found {one['found']}"
        for one in check["details"]
    ]
    if check["status"] == "done" and not check["differences"]:
        lines.append("All of it adds up.")
    return "\n".join(lines)


def _account_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise BadInputError(f"{text} is not the id of an account") from error
