"""Bodies of uploads, written aside piece by piece."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

_WRITE_BYTES = 1 << 20


class FileTooLargeError(Exception):
    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"A file must not be longer than {max_bytes} bytes.")


async def receive(part: Path, body: AsyncIterator[bytes], max_bytes: int) -> str:
    """The content's SHA-256. Raises FileTooLargeError, or whatever breaks the body off."""
    digest = hashlib.sha256()
    received = 0
    with part.open("wb", buffering=_WRITE_BYTES) as file:
        async for chunk in body:
            received += len(chunk)
            if received > max_bytes:
                raise FileTooLargeError(max_bytes)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return digest.hexdigest()
