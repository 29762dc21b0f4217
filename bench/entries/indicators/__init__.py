"""P5: six indicators at each new candle."""

from bench.entry import Contender, Entry
from bench.peers import TALIB, TALIPP

ENTRY = Entry(
    name="indicators",
    title="Six indicators at each new candle",
    unit="candles",
    sizes=(50_000, 200_000),
    quick_sizes=(10_000, 40_000),
    contenders=(
        Contender("ours", f"{__name__}.ours"),
        Contender("ours, through the board", f"{__name__}.ours", ("board",)),
        Contender("TA-Lib stream handles", f"{__name__}.with_talib", ("stream",), peer=TALIB),
        Contender("TA-Lib, 500 candles anew", f"{__name__}.with_talib", ("window",), peer=TALIB),
        Contender("talipp", f"{__name__}.with_talipp", peer=TALIPP),
    ),
    target="at most 1 µs for the six together, on an idle machine",
    notes=(
        "SMA 20, EMA 20, RSI 14, MACD 12/26/9, Bollinger 20/2 and ATR 14, each result kept until"
        " the next one. Candles are made beforehand, in each library's own form. Ours takes our"
        " candle objects and calls the six one after another; through the board it also finds the"
        " series of a candle, refuses one that isn't newer, and checks its numbers. TA-Lib's"
        " handles (since 0.8) are C structs that a call with plain numbers advances; their state"
        " can't be stored. Anew: the batch functions over the latest 500 candles at each candle,"
        " as one does without handles. talipp keeps all results. All must agree on the last ones,"
        " to six decimals."
    ),
)
