"""P4, live: prints from a vendor's stream to the tape, the topics and the store."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="live",
    title="Ten seconds of a live market through one engine",
    unit="ticks",
    sizes=(100_000, 500_000),
    quick_sizes=(20_000, 50_000),
    contenders=(
        Contender("ours, 50 symbols", f"{__name__}.ours", ("50",)),
        Contender("ours, 5,000 symbols", f"{__name__}.ours", ("5000",)),
    ),
    target="50,000 ticks/s a process; at 10,000 ticks/s the 99th percentile below 5 ms",
    notes=(
        "A server that speaks Alpaca's stream tells prints at an even rate for ten seconds, in 200"
        " frames a second, to one `python -m market_data_engine` in live mode with the embedded"
        " Postgres and Valkey. A minute ends halfway: the candles of all symbols and several"
        " timeframes are then completed, stored and published at once. Latencies are from a"
        " print's time, which is when it is sent, until a reader of the tape has it; `late` are the"
        " prints that came after their mark. Published are forming candles of all nine timeframes,"
        " at most four times a second for each symbol. Processor time is the engine's; vendor,"
        " reader and servers share the machine with it."
    ),
    repeats=2,
)
