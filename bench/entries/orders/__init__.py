"""P3: orders in a backtest, at the market."""

from bench.entry import Contender, Entry
from bench.peers import NAUTILUS

ENTRY = Entry(
    name="orders",
    title="Market orders in a backtest",
    unit="orders",
    sizes=(20_000, 80_000),
    quick_sizes=(2_000, 4_000),
    contenders=(
        Contender("ours", f"{__name__}.ours", ("market",)),
        Contender("nautilus", f"{__name__}.nautilus", ("market",), peer=NAUTILUS),
    ),
    target="at least 10 times nautilus, and as cheap an order at 80,000 as at 20,000",
    notes=(
        "One order a bar, bought and sold by turns, no costs. Each bar opens where the one before"
        " it closed, so that ours (at the next open) and nautilus (at the close) fill at the same"
        " prices: executions and what they paid together must agree to the cent. The run is timed,"
        " bars and strategy included, loading is not. Neither makes its report;"
        " nautilus' account is frozen: no margins."
    ),
    repeats=3,
)
