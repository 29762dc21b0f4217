"""P10: candles from the engine to a client over HTTP."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="history",
    title="Candles over HTTP",
    unit="candles",
    sizes=(10_000, 97_500),
    quick_sizes=(2_000, 10_000),
    contenders=(Contender("ours", f"{__name__}.ours"),),
    target="97,500 candles within 300 ms; the last 500 at 500 requests/s, 99th percentile 10 ms",
    notes=(
        "One `python -m market_data_engine` with the embedded Postgres and Valkey. Timed is reading"
        " a range of one-minute candles from the store, in pages of 10,000 one after another, each"
        " decoded from JSON. Then the last 500 of a symbol whose market is running, which come from"
        " memory, are asked for at an even 500 a second for five seconds: the percentiles are from"
        " when a question was due to its answer. Processor time is the engine's, over the pages."
    ),
    repeats=3,
)
