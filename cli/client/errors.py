"""What the platform answered, or that it didn't."""

from collections.abc import Sequence

from cli.errors import CliError


class UnreachableError(CliError):
    """Nobody answers at the address, or the connection broke."""


class ApiError(CliError):
    """The gateway refused: `code` is stable, the message is its sentence."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[str] = ()) -> None:
        super().__init__(detail)
        #: What is wrong with each field or row, where several are told.
        self.errors = list(errors)
        self.status = status
        self.code = code


class StreamError(CliError):
    """The WebSocket refused or ended."""
