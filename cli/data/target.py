"""The gateway that a command talks to, and as whom."""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cli.client.errors import ApiError
from cli.client.gateway import Gateway
from cli.commands.options import data_folder
from cli.errors import BadInputError, NotRunningError
from cli.supervisor.folder import read_json, running_supervisor
from cli.supervisor.secrets import read_secrets
from cli.supervisor.services import operator_settings

PASSWORD_VARIABLE = "ADMIN_PASSWORD"  # noqa: S105 - a name, not a password

#: Answers that say: what was asked for is wrong.
_INPUT_STATUSES = frozenset({400, 404, 409, 413, 415, 422})


@dataclass(frozen=True)
class Target:
    url: str
    admin_email: str
    admin_password: str


def target(url: str | None, admin_email: str | None, data_dir: Path | None) -> Target:
    """The gateway at `url`, else that of the platform that runs in the data folder."""
    settings = operator_settings(os.environ)
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise BadInputError(f"--url must begin with http:// or https://, not {url}")
        password = settings.get(PASSWORD_VARIABLE)
        if data_dir is not None:
            raise BadInputError("--data-dir and --url exclude each other")
        if admin_email is None or not password:
            raise BadInputError(
                f"--url needs --admin-email, and the password in {PASSWORD_VARIABLE}"
            )
        return Target(url, admin_email, password)
    if admin_email is not None:
        raise BadInputError("--admin-email belongs to --url")
    folder = data_folder(data_dir)
    pid, state = running_supervisor(folder), read_json(folder.state)
    if pid is None or state is None or state["supervisor_pid"] != pid:
        raise NotRunningError(f"no platform runs in {folder.path}")
    password = settings.get(PASSWORD_VARIABLE) or read_secrets(folder.secrets)[PASSWORD_VARIABLE]
    return Target(state["url"], state["summary"]["admin_email"], password)


@contextlib.asynccontextmanager
async def signed_in(where: Target) -> AsyncIterator[Gateway]:
    """As the admin. What the gateway says is wrong with the input is a BadInputError."""
    async with Gateway(where.url) as gateway:
        try:
            await gateway.login(where.admin_email, where.admin_password)
            yield gateway
        except ApiError as error:
            if error.status in _INPUT_STATUSES:
                several = len(error.errors) > 1
                sentence = "\n  ".join(error.errors) if several else str(error)
                raise BadInputError(sentence) from error
            raise
