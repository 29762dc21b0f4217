"""What can go wrong with a backtest.

BacktestError
├── BadBacktestError     what was asked for can't be run: the caller corrects it
├── StrategyRaisedError  a hook of the strategy raised: its author corrects it
└── ResultTooLargeError  it makes more executions than are kept: fewer are asked for
"""


class BacktestError(Exception):
    """The message is one sentence for people."""


class BadBacktestError(BacktestError):
    pass


class ResultTooLargeError(BacktestError):
    pass


class StrategyRaisedError(BacktestError):
    def __init__(self, traceback: str) -> None:
        last_line = traceback.strip().splitlines()[-1]
        super().__init__(f"the strategy raised {last_line}")
        self.traceback = traceback

    def __reduce__(self) -> tuple[type["StrategyRaisedError"], tuple[str]]:
        """It may come from another process."""
        return StrategyRaisedError, (self.traceback,)
