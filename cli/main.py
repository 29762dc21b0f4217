"""`tradectl`: run the platform, look at it, try it out.

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 the platform isn't running.
"""

import os
import sys

import typer

from cli.commands import (
    backtesting,
    backtesting_show,
    books,
    data,
    demo,
    down,
    hyperopt,
    hyperopt_list,
    list_strategies,
    logs,
    lookahead_analysis,
    new_strategy,
    parity,
    replay,
    status,
    up,
    validate_strategy,
    walk_forward,
)
from cli.embedded.servers import ServerStartError
from cli.errors import CliError

app = typer.Typer(
    name="tradectl",
    help=__doc__,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(down.down)
app.command()(status.status)
app.command()(logs.logs)
app.command()(demo.demo)
app.add_typer(data.data, name="data")
app.add_typer(replay.replay, name="replay")
app.add_typer(books.books, name="books")
app.command()(backtesting.backtesting)
app.command("backtesting-show")(backtesting_show.backtesting_show)
app.command()(hyperopt.hyperopt)
app.command("hyperopt-list")(hyperopt_list.hyperopt_list)
app.command("walk-forward")(walk_forward.walk_forward)
app.command("lookahead-analysis")(lookahead_analysis.lookahead_analysis)
app.command()(parity.parity)
app.command("list-strategies")(list_strategies.list_strategies)
app.command("new-strategy")(new_strategy.new_strategy)
app.command("validate-strategy")(validate_strategy.validate_strategy)


def main() -> int:
    try:
        app()
    except CliError as error:
        return _fail(str(error), error.exit_code)
    except ServerStartError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        # The reader had enough (`| head`). Nothing more can be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _fail(sentence: str, exit_code: int) -> int:
    print(f"tradectl: {sentence}", file=sys.stderr)
    return exit_code
