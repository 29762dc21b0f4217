from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("order_commands_total", "Order commands applied", ["kind", "outcome"])
UNREADABLE = Counter("order_unreadable_total", "Entries passed over: not decodable", ["stream"])
FILLS = Counter("order_fills_total", "Executions recorded")
BATCH_COMMANDS = Histogram(
    "order_batch_commands",
    "Commands that shared a commit",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
COMMIT_SECONDS = Histogram(
    "order_commit_seconds",
    "Time of one commit",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
BOOKS_DIFFERENCES = Gauge(
    "order_books_differences", "What differed at this process's last check of all books"
)
BOOKS_CHECKED_AT = Gauge(
    "order_books_checked_timestamp_seconds", "When this process last checked all books"
)
SHARD_EPOCH = Gauge(
    "order_shard_epoch", "Lease epoch of an owned shard; 0 when not owned", ["shard"]
)
#: A hot shard is one with more of these than the others.
SHARD_COMMANDS = Counter("order_shard_commands_total", "Commands committed, by shard", ["shard"])
SHARD_SECONDS = Counter(
    "order_shard_seconds_total",
    "Time that a shard spent: it looks up, applies, commits (while it applies), announces",
    ["shard", "doing"],
)
SHARD_FAULTS = Counter("order_shard_faults_total", "Times a shard was reloaded", ["shard", "kind"])
#: Each is worth a look: a fault of the code, or of the database's rules.
POISONED = Counter(
    "order_poisoned_commands_total",
    "Commands refused because they could not be applied or stored",
    ["shard", "cause"],
)
FAILED_ACTIONS = Counter(
    "order_corporate_action_faults_total",
    "Times that a split or dividend could not be carried out on some books",
    ["shard"],
)
EQUITY_MARKS = Counter("order_equity_marks_total", "Equity marks published")
BROKER_DIFFERENCES = Counter(
    "order_broker_differences_total", "Differences from a broker that were found", ["kind"]
)
