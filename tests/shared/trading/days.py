"""Random days at the desk, for `hypothesis`."""

from typing import Any

from hypothesis import strategies as st

from tests.shared.trading.naive_books import LOT, TERMS, TICK, D, Plan, Ticket

symbols = st.sampled_from(["A", "B"])

#: Close together, so that orders meet prints; with gaps now and then.
prices = st.integers(80, 120).map(lambda ticks: ticks * TICK)

tickets = st.one_of(
    st.builds(Ticket, force=st.sampled_from(["gtc", "ioc", "fok"])),
    st.builds(
        Ticket,
        kind=st.just("limit"),
        limit=prices,
        force=st.sampled_from(["gtc", "gtc", "ioc", "fok"]),
    ),
    st.builds(Ticket, kind=st.just("stop"), stop=prices),
    st.builds(Ticket, kind=st.just("stop_limit"), stop=prices, limit=prices),
    st.builds(
        Ticket,
        kind=st.just("trailing_stop"),
        trail=st.integers(1, 120).map(lambda ticks: ticks * TICK),
    ),
    st.builds(
        Ticket,
        kind=st.just("trailing_stop"),
        percent=st.integers(1, 2000).map(lambda steps: steps / D(100)),
    ),
    st.builds(
        Ticket,
        kind=st.just("limit"),
        limit=prices,
        force=st.just("gtd"),
        lives_s=st.integers(1, 20),
    ),
)

submits = st.tuples(
    st.just("submit"),
    symbols,
    st.sampled_from(["buy", "buy", "sell"]),
    st.integers(1, 700).map(lambda lots: lots * LOT),
    tickets,
)

#: From too small for a lot up to more than most orders want.
sizes = st.sampled_from([D("0.3"), D(7), D(60), D(1000)])

prints = st.tuples(st.just("print"), symbols, prices, sizes)

gaps = st.tuples(st.just("print"), symbols, st.sampled_from([TICK, 10 * TICK, 1000 * TICK]), sizes)

plans = st.tuples(st.none() | st.integers(95, 105), st.integers(106, 115), st.integers(85, 94)).map(
    lambda ticks: Plan(
        Ticket() if ticks[0] is None else Ticket(kind="limit", limit=ticks[0] * TICK),
        Ticket(kind="limit", limit=ticks[1] * TICK),
        Ticket(kind="stop", stop=ticks[2] * TICK),
    )
)

groups = st.tuples(
    st.just("group"),
    symbols,
    st.sampled_from(["bracket", "oco"]),
    st.integers(1, 150).map(lambda lots: lots * LOT),
    plans,
)

#: Of the n-th order, if there is one.
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))

#: Of the n-th order, if it works: another quantity or price, or both.
replaces = st.tuples(
    st.just("replace"),
    st.integers(0, 30),
    st.none() | st.integers(1, 400).map(lambda lots: lots * LOT),
    st.none() | prices,
)

moves = st.tuples(st.just("move"), st.integers(-200_000, 200_000).filter(bool))

restarts = st.tuples(st.just("restart"))

runs = st.tuples(st.just("run"))

#: Both symbols are held, so that there is something to sell.
opening: list[tuple[Any, ...]] = [
    (verb, symbol, *more)
    for symbol in ("A", "B")
    for verb, *more in (
        ("print", 100 * TICK, D(1000)),
        ("submit", "buy", 200 * LOT, Ticket()),
        ("print", 100 * TICK, D(1000)),
    )
]

steps = st.lists(
    st.one_of(
        submits,
        submits,
        groups,
        groups,
        prints,
        prints,
        prints,
        gaps,
        cancels,
        replaces,
        moves,
        restarts,
        runs,
    ),
    min_size=15,
    max_size=60,
)

days = st.tuples(st.sampled_from(TERMS), steps.map(lambda day: opening + day))
