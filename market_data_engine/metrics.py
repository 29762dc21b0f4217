"""What the engine counts."""

from prometheus_client import Counter, Gauge, Histogram

TICKS = Counter("market_data_ticks_total", "Trade prints put on the tape")
CANDLES = Counter("market_data_candles_completed_total", "Candles completed", ["timeframe"])
MARKS = Counter("market_data_marks_total", "Time marks put on the tape")
WAIT = Histogram(
    "market_data_wait_seconds",
    "Time a paced run waited for the acknowledgements of one mark",
    ["phase"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
STORE_QUEUE = Gauge("market_data_store_queue_candles", "Completed candles that await the store")
STORE_AWAY = Gauge("market_data_store_away", "1 while the candle store doesn't take candles")
LEADING = Gauge("market_data_leading", "1 while this engine carries the market")
FEED_LOSSES = Counter(
    "market_data_feed_losses_total", "Times that a live feed was lost or refused", ["feed", "state"]
)
FEED_EVENTS = Counter(
    "market_data_feed_events_total",
    "What live feeds told, by what became of it",
    ["feed", "outcome"],
)
