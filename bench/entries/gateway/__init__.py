"""P6: what the gateway adds to an order, beside a route that does nothing."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="gateway",
    title="Orders through the gateway",
    unit="requests",
    sizes=(2_000, 8_000),
    quick_sizes=(200, 800),
    contenders=(
        Contender("ours", f"{__name__}.ours"),
        Contender("bare echo", f"{__name__}.echo"),
    ),
    target="at least half the rate of a bare FastAPI echo route behind the same check of the token",
    notes=(
        "`POST /accounts/{id}/orders` of resting limit orders by 32 connections that are kept, each"
        " sending its next request when it has its answer, from a client process that writes bytes"
        " and reads lengths. Ours goes through the gateway, Valkey, the order processor and"
        " Postgres, and answers after the commit. The echo is one FastAPI route under uvicorn with"
        " uvloop and httptools, as our services run: it verifies the same token, validates the"
        " same body and gives it back; nothing else runs beside it. Processor time is that of the"
        " gateway or the echo alone."
    ),
    repeats=3,
)
