"""P1: a crossover over one-minute bars."""

from bench.entry import Contender, Entry
from bench.peers import NAUTILUS, Peer

BACKTESTING = Peer("backtesting", ("backtesting==0.6.6", "pandas==2.3.3"))

ENTRY = Entry(
    name="backtest",
    title="A crossover over one-minute bars",
    unit="bars",
    sizes=(97_500, 500_000),
    quick_sizes=(20_000, 40_000),
    contenders=(
        Contender("ours", f"{__name__}.ours"),
        Contender("ours, with report", f"{__name__}.ours", ("report",)),
        Contender("nautilus, no report", f"{__name__}.nautilus", peer=NAUTILUS),
        Contender("backtesting.py, with report", f"{__name__}.backtesting_py", peer=BACKTESTING),
        Contender("plain loop", f"{__name__}.plain"),
    ),
    target="at least 10 times nautilus without its report and twice backtesting.py; under 400 MB",
    notes=(
        "Averages of 10 and 30 closes of one symbol, 10 shares, long or flat, market orders, no"
        " costs. Bars are made ready beforehand (`load_s`: ours reads, checks and folds a Parquet"
        " file); the run alone is timed. Ours is an ordinary strategy class on the books that paper"
        " trading has, every order with its checks, transitions, ledger entries and events."
        " Ours, backtesting.py and the plain loop fill at the next open and must agree on the"
        " executions and on the final equity to the cent; nautilus fills at the close that it"
        " decided on, and must agree on the number of executions. backtesting.py can't leave out"
        " its report. The plain loop has no orders, and marks equity and drawdown at each bar."
    ),
    repeats=3,
)
