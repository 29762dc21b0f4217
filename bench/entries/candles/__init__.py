"""P4: prints of 50 symbols into candles."""

from bench.entry import Contender, Entry
from bench.peers import NAUTILUS

ENTRY = Entry(
    name="candles",
    title="Candles from the prints of 50 symbols",
    unit="trades",
    sizes=(500_000, 2_000_000),
    quick_sizes=(100_000, 400_000),
    contenders=(
        Contender("ours (9)", f"{__name__}.ours", ("mixed",)),
        Contender("ours (9), split already", f"{__name__}.ours", ("by-symbol",)),
        Contender("nautilus (4)", f"{__name__}.nautilus", peer=NAUTILUS),
        Contender("plain loop (9)", f"{__name__}.plain"),
        Contender("plain loop (4)", f"{__name__}.plain", ("4",)),
    ),
    target="at least 3 times nautilus' aggregators, per core",
    notes=(
        "In brackets the number of timeframes."
        " Ours takes the prints as they come on the tape, mixed, in slices of 1,000 or to the end"
        " of the minute, splits them by symbol (timed), builds `1m 3m 5m 15m 30m 1h 4h 1d 1w` with"
        " average price and count, and reads all nine forming candles of one symbol after each"
        " slice. Split already: one symbol after the other, 1,000 prints a call, forming candles"
        " read after each. nautilus has one `TimeBarAggregator` a symbol for each of"
        " `1m 5m 15m 1h`, on a `TestClock` that is advanced once a minute; its tick objects are"
        " made beforehand. The plain loop updates each timeframe's open candle in a dictionary,"
        " print by print; it has neither sessions nor average prices. All keep what they complete,"
        " and must agree on the number and volume of one-minute candles."
    ),
)
