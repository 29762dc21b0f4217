"""What a password must be, and bcrypt without stalling anything else."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import bcrypt

from api_gateway.errors import Refused

P = ParamSpec("P")
T = TypeVar("T")

#: bcrypt reads no further; a longer password would silently be cut.
MAX_BYTES = 72
MIN_CHARACTERS = 8

_SPECIAL = re.compile(r"[^\w\s]|_")


def weaknesses(password: str) -> list[str]:
    """What it lacks, each as the end of a sentence; empty for a good one."""
    found = []
    if len(password) < MIN_CHARACTERS:
        found.append(f"must have at least {MIN_CHARACTERS} characters")
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        found.append(f"must not be longer than {MAX_BYTES} bytes")
    if not any(character.isupper() for character in password):
        found.append("must hold an upper-case letter")
    if not any(character.isdigit() for character in password):
        found.append("must hold a digit")
    if not _SPECIAL.search(password):
        found.append("must hold a special character")
    if "\x00" in password:
        found.append("must not hold a NUL character")
    return found


class Passwords:
    """Hashes in a few threads of its own, so that a rush of logins leaves the others free.

    At most `max_waiting` wait for a thread; who comes then is asked to come back (`busy`).
    """

    def __init__(self, rounds: int, workers: int = 2, max_waiting: int = 64) -> None:
        self._rounds = rounds
        self._max_under_way = workers + max_waiting
        self._under_way = 0
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="passwords")
        #: Compared with when there's no such user, so that the answer takes as long.
        self._nobodys = bcrypt.hashpw(b"nobody's", bcrypt.gensalt(rounds))

    async def hash(self, password: str) -> str:
        """`password` has no weaknesses."""
        return await self._run(self._hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """False, after as much work, when there's no hash to match."""
        expected = self._nobodys if password_hash is None else password_hash.encode("ascii")
        return await self._run(_matches, password, expected) and password_hash is not None

    def close(self) -> None:
        self._executor.shutdown(wait=True)

    def _hash(self, password: str) -> str:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(self._rounds)).decode("ascii")

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._under_way >= self._max_under_way:
            raise Refused("busy", "Too many sign-ins at this moment. Try again shortly.")
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, partial(work, *args, **kwargs))
        finally:
            self._under_way -= 1


def _matches(password: str, expected: bytes) -> bool:
    given = password.encode("utf-8", "replace")
    # None that bcrypt can't take whole was ever stored; the work is done for them all the same.
    whole = len(given) <= MAX_BYTES and b"\x00" not in given
    return bcrypt.checkpw(given if whole else b"too long", expected) and whole
