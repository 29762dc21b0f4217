"""P11: the performance of an account with very many executions."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="analytics",
    title="Performance of an account",
    unit="executions",
    sizes=(25_000, 100_000),
    quick_sizes=(1_000, 4_000),
    contenders=(Contender("ours", f"{__name__}.ours"),),
    target="100,000 executions within 1 s",
    notes=(
        "`GET /internal/performance` of one account that traded one symbol through five sessions,"
        " from the request to the whole answer: `python -m analytics_service` reads the books from"
        " the embedded Postgres and 1,950 minutes of closes from `python -m market_data_engine`."
        " One request before it is not measured. Processor time is the analytics service's."
    ),
)
