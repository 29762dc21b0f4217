"""The secrets of an instance, made once and kept in its data folder."""

import os
import secrets
from pathlib import Path

from cli.errors import CliError

ADMIN_EMAIL = "admin@example.com"
_NAMES = (
    "DB_PASSWORD",
    "REDIS_PASSWORD",
    "JWT_SECRET",
    "INTERNAL_TOKEN",
    "ADMIN_EMAIL",
    "ADMIN_PASSWORD",
)


def load_or_make_secrets(path: Path) -> tuple[dict[str, str], bool]:
    """The secrets, and whether they were made just now."""
    if path.exists():
        return read_secrets(path), False
    made = {
        # Letters and digits only: they pass unquoted through files, URLs and protocols.
        "DB_PASSWORD": secrets.token_hex(24),
        "REDIS_PASSWORD": secrets.token_hex(24),
        "JWT_SECRET": secrets.token_hex(32),
        "INTERNAL_TOKEN": secrets.token_hex(32),
        "ADMIN_EMAIL": ADMIN_EMAIL,
        # The password rules: upper case, digit, special character.
        "ADMIN_PASSWORD": f"A1-{secrets.token_urlsafe(15)}",
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in made.items())
        file.flush()
        os.fsync(fd)
    unfinished.rename(path)
    return made, True


def read_secrets(path: Path) -> dict[str, str]:
    """All of them; CliError when the file is not whole."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise CliError(f"can't read the secrets in {path}: {error.strerror}") from error
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    found = {name.strip(): value.strip() for name, _, value in pairs}
    missing = [name for name in _NAMES if not found.get(name)]
    if missing:
        raise CliError(f"{path} lacks {', '.join(missing)}")
    return {name: found[name] for name in _NAMES}
