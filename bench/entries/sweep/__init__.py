"""P2: 100 combinations of the crossover over the same one-minute bars."""

from bench.entry import Contender, Entry
from bench.peers import Peer

VECTORBT = Peer(
    "vectorbt",
    (
        "vectorbt==0.28.5",
        "numba==0.68.1",
        "numpy==2.4.6",
        "pandas==2.3.3",
        "plotly==5.24.1",  # it can't be imported with a newer one
    ),
)

ENTRY = Entry(
    name="sweep",
    title="100 combinations of a crossover over one-minute bars",
    unit="bars",
    sizes=(20_000, 97_500),
    quick_sizes=(2_000, 4_000),
    contenders=(
        Contender("ours, all cores", f"{__name__}.ours"),
        Contender("vectorbt", f"{__name__}.vectorbt_py", peer=VECTORBT),
    ),
    target="at least vectorbt's throughput for the same grid, with results equal to single runs",
    notes=(
        "The size is bars of one run; the rate counts those of all 100. Ours is the loop of"
        " `tradectl hyperopt`: processes that have read and folded the bars (`ready_s`) run an"
        " ordinary strategy class on the books of paper trading, one order after another, with"
        " metrics of daily returns, drawdown and round trips for each; ten trials are compared"
        " with single runs. vectorbt has its functions compiled beforehand (`ready_s`) and works"
        " out averages, fills at the next open and the final equity of all columns in compiled"
        " loops over arrays; it knows neither orders nor books. Executions and the sum of the"
        " final equities must agree to the cent."
    ),
    repeats=3,
)
