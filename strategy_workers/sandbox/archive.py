"""The files of a strategy, out of what somebody sends: a Python file or a zip of some. Pure."""

import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath

import msgspec

from strategy_workers.sandbox.source import BadSourceError

MOST_FILES = 100
#: Of the archive, and of all that is in it.
MOST_BYTES = 512 * 1024

#: What `zipfile` and the decompressors under it raise: damaged, cut off, encrypted, or of a kind
#: that they don't know.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
)


def files_of(name: str, body: bytes) -> dict[str, bytes]:
    """Path → source. Nothing is written anywhere. Raises BadSourceError."""
    if len(body) > MOST_BYTES:
        raise BadSourceError(f"{name} has {len(body):,} bytes; {MOST_BYTES:,} may be.")
    if not body:
        raise BadSourceError(f"{name} is empty.")
    if name.endswith(".py"):
        return {"strategy.py": body}
    if not name.endswith(".zip"):
        raise BadSourceError("A strategy is a .py file, or a .zip of some.")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return _unpacked(archive)
    except _UNREADABLE as error:
        raise BadSourceError(f"{name} can't be read as a zip: {error}.") from None


def _unpacked(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = [one for one in archive.infolist() if not one.is_dir()]
    if len(entries) > MOST_FILES:
        raise BadSourceError(f"The zip has {len(entries):,} files; {MOST_FILES} may be.")
    files: dict[str, bytes] = {}
    room = MOST_BYTES
    for entry in entries:
        path = _checked_path(entry.filename)
        if path in files:
            raise BadSourceError(f"The zip has {path} twice.")
        with archive.open(entry) as stream:  # what an entry says of its size isn't believed
            files[path] = stream.read(room + 1)
        room -= len(files[path])
        if room < 0:
            raise BadSourceError(f"The zip unpacks to more than {MOST_BYTES:,} bytes.")
    if not files:
        raise BadSourceError("The zip has no files.")
    return files


def _checked_path(name: str) -> str:
    parts = PurePosixPath(name).parts
    stems = [*parts[:-1], parts[-1].removesuffix(".py")] if parts else []
    if not name.endswith(".py") or not all(part.isidentifier() for part in stems):
        raise BadSourceError(
            f"The zip has {name[:100]!r}: all of its files must be Python modules, such as "
            "strategy.py or tools/lines.py."
        )
    return "/".join(parts)


def encoded_files(files: Mapping[str, bytes]) -> bytes:
    """As they are stored: equal files, equal bytes."""
    return msgspec.msgpack.encode(dict(sorted(files.items())))


def digest_of(files: Mapping[str, bytes]) -> str:
    return hashlib.sha256(encoded_files(files)).hexdigest()
