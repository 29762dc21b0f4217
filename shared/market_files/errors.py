"""What is wrong with files; apart from their readers, which need polars."""

from typing import Final

#: Of one file; all of it is refused.
MOST_PROBLEMS: Final = 20


class CandleFileError(ValueError):
    """The files are refused. The message is the first sentence: file, line, what is wrong."""

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0])
        self.problems = problems
