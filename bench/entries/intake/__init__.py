"""P6: order commands from a client to an answer that is given after the commit."""

from bench.entry import Contender, Entry

ENTRY = Entry(
    name="intake",
    title="Durable order intake by one order processor",
    unit="orders",
    sizes=(5_000, 20_000),
    quick_sizes=(500, 2_000),
    contenders=(
        Contender("ours, 64 accounts", f"{__name__}.ours", ("64",)),
        Contender("ours, 1 account", f"{__name__}.ours", ("1",)),
        Contender("pgbench, 8 clients", f"{__name__}.with_pgbench"),
    ),
    target="at least pgbench's rate; at 500 orders/s the 99th percentile below 15 ms",
    notes=(
        "Resting limit orders, encoded beforehand and sent by 16 connections of a client process in"
        " pipelines of 32 over the shards' streams to one `python -m order_processor` on the"
        " embedded Postgres (all commits synchronous) and Valkey, each waiting for all its answers."
        " An order is stored with its transitions, its event and its line of the audit trail, and"
        " its frame is published. 64 accounts lie in all four shards, 1 in one. Then 2,500 more"
        " orders at an even 500 a second, one by one: the percentiles are from submitting to the"
        " answer. Processor time is the order processor's."
        " pgbench commits rows of one number and a text of 200 characters, one row a transaction,"
        " with prepared statements, on the same kind of server; its processor time is its own."
    ),
    repeats=3,
)
