"""P12: trades replayed through the whole platform to a strategy with paper orders."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="replay",
    title="A day of trades through the whole platform",
    unit="trades",
    sizes=(62_650, 250_601),
    quick_sizes=(20_000, 60_000),
    contenders=(Contender("ours", f"{__name__}.ours"),),
    target="at least 20,000 trades/s, the same executions every time",
    notes=(
        "`tradectl demo` with the crossover of 10 and 30 minutes on a running platform: upload,"
        " account and deployment are not timed; the replay is, from its request to its last time"
        " mark at a pacing WebSocket client, with every order filled and stored. 250,601 prints of"
        " one symbol in 828 minutes are as many as a real day of SPY had. Processor time is that of"
        " the platform and its servers, not the client's."
    ),
    repeats=3,
)
