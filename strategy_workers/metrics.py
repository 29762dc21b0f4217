from prometheus_client import Counter, Gauge, Histogram

RUNNING = Gauge("strategy_deployments_running", "Deployments in the hands of this worker")
CANDLES = Counter("strategy_candles_total", "Completed candles given to strategies")
DECISION = Histogram(
    "strategy_decision_seconds",
    "Time that all strategies of this worker took over one slice",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
ORDERS = Counter("strategy_orders_sent_total", "Orders sent and answered", ["answer"])
TAKE_OVERS = Counter("strategy_take_overs_total", "Deployments restored from a snapshot")
PAUSED = Counter("strategy_errors_total", "Deployments paused by an exception of theirs")
