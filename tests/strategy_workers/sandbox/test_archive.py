"""What is sent is read with care, and never written anywhere."""

import io
import zipfile
from random import Random

import pytest

from strategy_workers.sandbox.archive import MOST_BYTES, files_of
from strategy_workers.sandbox.source import BadSourceError


def zipped(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files:
            archive.writestr(name, body)
    return buffer.getvalue()


def test_a_python_file_is_the_strategy_whatever_it_is_called() -> None:
    assert files_of("turtle.py", b"x = 1") == {"strategy.py": b"x = 1"}


def test_a_zip_holds_modules_and_packages() -> None:
    body = zipped(("strategy.py", b"a"), ("tools/__init__.py", b""), ("tools/lines.py", b"b"))
    assert files_of("mine.zip", body) == {
        "strategy.py": b"a",
        "tools/__init__.py": b"",
        "tools/lines.py": b"b",
    }


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("mine.zip", zipped(("../strategy.py", b"")), "all of its files must be Python modules"),
        ("mine.zip", zipped(("/etc/strategy.py", b"")), "must be Python modules"),
        ("mine.zip", zipped(("a\\b.py", b"")), "must be Python modules"),
        ("mine.zip", zipped(("strategy.so", b"")), "must be Python modules"),
        ("mine.zip", zipped(), "has no files"),
        ("mine.zip", zipped(*((f"m{n}.py", b"") for n in range(101))), "101 files; 100 may be"),
        ("mine.zip", zipped(("strategy.py", b"0" * (MOST_BYTES + 1))), "unpacks to more than"),
        ("mine.zip", b"PK not really", "can't be read as a zip"),
        ("mine.zip", zipped(("strategy.py", b"0" * 999))[:-30], "can't be read as a zip"),
        ("mine.py", b"", "is empty"),
        ("mine.py", b"0" * (MOST_BYTES + 1), "524,288 may be"),
        ("mine.exe", b"MZ", "a .py file, or a .zip"),
    ],
)
def test_what_can_not_be_a_strategy_is_refused(name: str, body: bytes, said: str) -> None:
    with pytest.raises(BadSourceError, match=said):
        files_of(name, body)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_that_is_damaged_anywhere_is_refused_or_read(method: int) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("strategy.py", "x = 1\n" * 200)
    chance = Random(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole.getvalue())
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            files_of("mine.zip", bytes(damaged))
        except BadSourceError:
            refused += 1
    assert refused > 100
