"""X6: from the print that loses too much to stored latches, with every position being closed."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="risk",
    title="From a tick to stored loss latches",
    unit="positions",
    sizes=(250, 1_000),
    quick_sizes=(100, 200),
    contenders=(Contender("ours", f"{__name__}.ours"),),
    target="1,000 open positions on 50 symbols latched and being closed within 500 ms",
    notes=(
        "Accounts that hold 50 symbols each, under a loss limit that closes positions, on one"
        " `python -m order_processor` with the embedded Postgres (all commits synchronous) and"
        " Valkey; each has one resting order a symbol. One tape entry takes all 50 symbols down by"
        " a tenth. Timed from its writing until a reader of the database, who looks every"
        " millisecond, sees the last account latched: cancels, closing orders, events and audit"
        " lines are in the same transactions. `first_ms` is the first account. Processor time is"
        " the order processor's."
    ),
    repeats=3,
)
