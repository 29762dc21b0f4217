"""P8: from a closed minute to the orders that strategies decide on."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="strategies",
    title="A closed minute decided on by many strategies",
    unit="strategies",
    sizes=(1_000, 5_000),
    quick_sizes=(50, 100),
    contenders=(Contender("ours", f"{__name__}.ours"),),
    target="5,000 strategies on 50 symbols: all evaluated and orders submitted within 1 s",
    notes=(
        "Deployments of a moving-average crossover on one of 50 symbols each, ten to an account, in"
        " one `python -m strategy_workers`, with one `python -m order_processor`, the embedded"
        " Postgres (all commits synchronous) and Valkey on the same machine. The measured minute is"
        " one in which the averages of one symbol in ten cross, so a tenth of the strategies order."
        " Timed from the writing of its candles and marks until the last order is on its shard's"
        " stream; `all_ms` until every strategy has acknowledged the mark, its orders answered;"
        " `started_ms` from the worker being ready until all strategies run."
        " Processor time is the worker's."
    ),
    repeats=3,
)
