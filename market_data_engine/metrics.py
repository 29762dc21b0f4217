"""What the engine counts."""

from prometheus_client import Counter, Gauge, Histogram

TICKS = Counter("market_data_ticks_total", "Trade prints put on the tape")
CANDLES = Counter("market_data_candles_completed_total", "Candles completed", ["timeframe"])
CORRECTIONS = Counter("market_data_candles_corrected_total", "Completed candles made again")
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
PROVIDER_REQUESTS = Counter(
    "market_data_provider_requests_total",
    "Questions to providers of history, by what became of them",
    ["provider", "capability", "outcome"],
)
PROVIDER_SECONDS = Histogram(
    "market_data_provider_seconds",
    "Time until a provider had answered a question whole, all its pages",
    ["provider"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
PROVIDER_ROWS_DROPPED = Counter(
    "market_data_provider_rows_dropped_total",
    "Rows of providers' answers that made no sense",
    ["provider"],
)
PROVIDER_SCORE = Gauge("market_data_provider_score", "Health of a provider, 0 to 1", ["provider"])
PROVIDER_BREAKER = Gauge(
    "market_data_provider_breaker", "0 closed, 1 half-open, 2 open", ["provider"]
)
PROVIDER_PROMOTED = Gauge(
    "market_data_provider_promoted",
    "1 while the provider keeps its place in policies",
    ["provider"],
)
PROVIDER_FAILOVERS = Counter(
    "market_data_provider_failovers_total",
    "Questions answered by another provider than the policy's first",
    ["capability"],
)
PROVIDER_RATE_WAITS = Counter(
    "market_data_provider_rate_wait_seconds_total",
    "Time that requests waited for a provider's rate limit",
    ["provider"],
)
CONFIGURATION_VERSION = Gauge(
    "market_data_configuration_version", "Version of the market data configuration in force"
)
JOBS_QUEUED = Gauge("market_data_jobs_kept", "Data jobs that wait, or are dead", ["tier", "status"])
JOBS_DONE = Counter(
    "market_data_jobs_total", "Data jobs by what became of an attempt", ["kind", "tier", "outcome"]
)
JOBS_REFUSED = Counter(
    "market_data_jobs_refused_total", "Data jobs that a full queue didn't take", ["tier"]
)
JOB_ORDERS = Counter(
    "market_data_job_orders_total",
    "Entries of the stream of data jobs by what became of them",
    ["outcome"],
)
GAPS_FOUND = Counter("market_data_gaps_total", "Ranges found missing by sweeps", ["tier"])
CANDLES_HEALED = Counter(
    "market_data_candles_healed_total",
    "One-minute candles that a provider told afterwards",
    ["provider", "tier"],
)
STALE_SHARE = Gauge(
    "market_data_stale_share", "Share of a tier's symbols whose data is late, 0 to 1", ["tier"]
)
QUALITY_SCORE = Gauge(
    "market_data_quality_score",
    "Mean quality of the last session's one-minute candles of a tier's symbols, 0 to 100",
    ["tier"],
)
STALE_TARGET = Gauge(
    "market_data_stale_target", "Share of late symbols that is acceptable", ["tier"]
)
