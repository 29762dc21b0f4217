from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from shared.candles.timeframes import MINUTE_NS
from shared.market_files.columns import MarketColumns, QuoteColumns, TradeColumns
from shared.replays.slices import Slice, Slicer

SECOND_NS = 1_000_000_000

#: (time, symbol): the price is the print's number, so that each is recognised.
Prints = list[tuple[int, str]]


def batch(prints: Prints, first: int = 0) -> TradeColumns:
    symbols = list(dict.fromkeys(symbol for _, symbol in prints))
    return TradeColumns(
        symbols,
        [symbols.index(symbol) for _, symbol in prints],
        [at for at, _ in prints],
        [float(first + number + 1) for number in range(len(prints))],
        [1.0] * len(prints),
    )


def cut(prints: Prints, max_trades: int, step_ns: int, parts: Iterable[int]) -> list[Slice]:
    slicer = Slicer(max_trades, step_ns)
    slices: list[Slice] = []
    begin = 0
    for end in [*sorted(part % (len(prints) + 1) for part in parts), len(prints)]:
        if end > begin:
            slices += slicer.add(MarketColumns(batch(prints[begin:end], begin)))
            begin = end
    return slices + list(slicer.finish())


def test_a_slice_ends_with_its_minute() -> None:
    prints: Prints = [(0, "A"), (MINUTE_NS - 1, "A"), (MINUTE_NS, "A"), (5 * MINUTE_NS, "A")]
    slices = cut(prints, 100, MINUTE_NS, [])
    assert [(piece.trades.at_ns, piece.mark_ns) for piece in slices] == [
        ([0, MINUTE_NS - 1], MINUTE_NS),
        ([MINUTE_NS], 2 * MINUTE_NS),
        ([5 * MINUTE_NS], 6 * MINUTE_NS),
    ]


def test_a_step_that_does_not_divide_the_minute_ends_with_it_nevertheless() -> None:
    prints: Prints = [(50 * SECOND_NS, "A"), (59 * SECOND_NS, "A"), (61 * SECOND_NS, "A")]
    slices = cut(prints, 100, 7 * SECOND_NS, [])
    assert [piece.mark_ns for piece in slices] == [
        56 * SECOND_NS,
        60 * SECOND_NS,
        63 * SECOND_NS,
    ]


def test_a_full_slice_ends_early_but_never_among_prints_of_one_time() -> None:
    prints: Prints = [(1, "A"), (2, "A"), (2, "A"), (2, "A"), (3, "A")]
    slices = cut(prints, 2, MINUTE_NS, [])
    assert [(piece.trades.at_ns, piece.mark_ns) for piece in slices] == [
        ([1, 2, 2, 2], 3),
        ([3], MINUTE_NS),
    ]


def test_a_slice_names_only_its_own_symbols() -> None:
    prints: Prints = [(1, "A"), (2, "B"), (MINUTE_NS, "C"), (MINUTE_NS + 1, "B")]
    first, second = cut(prints, 100, MINUTE_NS, [])
    assert (first.trades.symbols, first.trades.symbol_index) == (["A", "B"], [0, 1])
    assert (second.trades.symbols, second.trades.symbol_index) == (["B", "C"], [1, 0])
    assert list(second.by_symbol()) == [
        ("B", [MINUTE_NS + 1], [4.0], [1.0]),
        ("C", [MINUTE_NS], [3.0], [1.0]),
    ]


def quoted(prints: Prints, quotes: Prints) -> MarketColumns:
    rows = batch(quotes)
    zeros = [0.0] * len(rows)
    told = QuoteColumns(
        rows.symbols, rows.symbol_index, rows.at_ns, rows.price, zeros, rows.size, zeros
    )
    return MarketColumns(batch(prints), told)


def test_quotes_are_cut_with_the_prints_and_count_towards_a_full_slice() -> None:
    slicer = Slicer(3)
    market = quoted([(2, "A"), (4, "A"), (2 * MINUTE_NS, "A")], [(1, "B"), (2, "A"), (3, "B")])
    slices = [*slicer.add(market), *slicer.finish()]
    assert [(piece.trades.at_ns, piece.mark_ns) for piece in slices] == [
        ([2], 3),
        ([4], MINUTE_NS),
        ([2 * MINUTE_NS], 3 * MINUTE_NS),
    ]
    first, second, third = (piece.quotes for piece in slices)
    assert first is not None
    assert second is not None
    assert (first.symbols, first.symbol_index, first.at_ns) == (["A", "B"], [1, 0], [1, 2])
    assert (second.symbols, second.at_ns, second.bid) == (["B"], [3], [3.0])
    assert third is None


def test_a_minute_with_quotes_alone_is_a_slice_without_prints() -> None:
    slicer = Slicer(100)
    slices = [
        *slicer.add(quoted([(1, "A")], [(MINUTE_NS + 1, "A")])),
        *slicer.add(quoted([], [(MINUTE_NS + 2, "A")])),
        *slicer.finish(),
    ]
    assert [(piece.first_ns, piece.mark_ns) for piece in slices] == [
        (1, MINUTE_NS),
        (MINUTE_NS + 1, 2 * MINUTE_NS),
    ]
    assert slices[1].quotes is not None
    assert slices[1].quotes.at_ns == [MINUTE_NS + 1, MINUTE_NS + 2]
    assert list(slices[1].by_symbol()) == []


prints_strategy = st.lists(
    st.tuples(st.integers(0, 12).map(lambda n: n * 15 * SECOND_NS), st.sampled_from("ABC")),
    min_size=1,
    max_size=30,
).map(lambda prints: sorted(prints, key=lambda one: one[0]))


@given(
    prints_strategy,
    st.integers(1, 8),
    st.sampled_from([MINUTE_NS, 10 * SECOND_NS, 25 * SECOND_NS]),
    st.lists(st.integers(0, 100), max_size=6),
)
def test_slices_hold_every_print_once_in_order_however_they_came(
    prints: Prints, max_trades: int, step_ns: int, parts: list[int]
) -> None:
    slices = cut(prints, max_trades, step_ns, parts)
    assert slices == cut(prints, max_trades, step_ns, [])
    flat = [
        (at, piece.trades.symbols[index], price)
        for piece in slices
        for at, index, price in zip(
            piece.trades.at_ns, piece.trades.symbol_index, piece.trades.price, strict=True
        )
    ]
    assert flat == [(at, symbol, float(n + 1)) for n, (at, symbol) in enumerate(prints)]
    mark_ns = -1
    for piece in slices:
        last_ns = piece.trades.at_ns[-1]
        assert mark_ns <= piece.first_ns <= last_ns < piece.mark_ns
        assert last_ns // MINUTE_NS == piece.first_ns // MINUTE_NS
        mark_ns = piece.mark_ns
        columns = {
            symbol: list(zip(at, price, size, strict=True))
            for symbol, at, price, size in piece.by_symbol()
        }
        for symbol, rows in columns.items():
            number = piece.trades.symbols.index(symbol)
            chosen = [i for i, index in enumerate(piece.trades.symbol_index) if index == number]
            assert rows == [
                (piece.trades.at_ns[i], piece.trades.price[i], piece.trades.size[i]) for i in chosen
            ]
