"""P3: orders in a backtest, resting at their limits until the market comes to them."""

from bench.entry import Contender, Entry
from bench.peers import NAUTILUS

_PROGRAMS = "bench.entries.orders"

ENTRY = Entry(
    name="resting",
    title="Limit orders in a backtest, resting until reached",
    unit="orders",
    sizes=(20_000, 80_000),
    quick_sizes=(1_000, 2_000),
    contenders=(
        Contender("ours", f"{_PROGRAMS}.ours", ("resting",)),
        Contender("nautilus", f"{_PROGRAMS}.nautilus", ("resting",), peer=NAUTILUS),
    ),
    target="at least 30 times nautilus, and as cheap an order at 80,000 as at 20,000",
    notes=(
        "A hundred orders to buy a bar, at a thousand prices below a market that stands still,"
        " until all rest; then it falls, one of the prices a bar, and fills them at their limits."
        " No costs; nautilus' account is frozen, as it works out margins anew over all working"
        " orders at each event of one. Executions and what they paid together must agree to the"
        " cent. The run is timed, bars and strategy included, loading is not."
    ),
    repeats=3,
    timeout_s=1800.0,
)
