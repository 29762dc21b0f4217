"""Any prints, cut into calls in any way, against candles built the slow way (`naive`)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.candles import CandleBuilder, LateTradesError, SessionCalendar
from shared.models.identifiers import TIMEFRAMES, Symbol, Timeframe
from shared.models.market import Candle
from tests.shared.candles import naive
from tests.shared.candles.sessions import DAY, HOUR, MINUTE, SECOND, ns

ABC = Symbol("ABC")
_MONDAY = ns("2024-03-04T00:00")


def _sessions(draw: st.DrawFn) -> list[tuple[int, int, date]]:
    """Up to three weeks with holidays, half days and odd seconds of opening."""
    opens_after = draw(st.integers(0, 8 * HOUR // SECOND)) * SECOND
    sessions = []
    for day in range(draw(st.integers(1, 21))):
        length = draw(st.sampled_from([0, 1, 3, 6, 16])) * HOUR + draw(
            st.sampled_from([0, 0, 30 * MINUTE, 90 * SECOND])
        )
        if not length:
            continue
        opens = _MONDAY + day * DAY + opens_after
        sessions.append((opens, min(opens + length, opens + DAY), date(2024, 3, 4) + day * _DAY))
    return sessions or [(_MONDAY + opens_after, _MONDAY + opens_after + HOUR, date(2024, 3, 4))]


_DAY = timedelta(days=1)
_prices = st.integers(1, 10_000).map(lambda cents: cents / 100)
_sizes = st.one_of(st.integers(0, 1_000).map(float), st.just(0.0))


@st.composite
def _markets(draw: st.DrawFn) -> tuple[list[tuple[int, int, date]], list[naive.Print]]:
    sessions = _sessions(draw)
    first, last = sessions[0][0], sessions[-1][1] + HOUR
    # Steps of all scales, so that there are crowded minutes as well as gaps of days.
    steps = draw(
        st.lists(
            st.one_of(
                st.integers(0, 20 * SECOND),
                st.integers(0, 10 * MINUTE),
                st.integers(0, 5 * HOUR),
                st.integers(0, 3 * DAY),
            ),
            min_size=1,
            max_size=120,
        )
    )
    prints = []
    at_ns = first
    for step in steps:
        at_ns += step
        if at_ns >= last:
            break
        prints.append((at_ns, draw(_prices), draw(_sizes)))
    return sessions, prints or [(first, 10.0, 1.0)]


def _builder(sessions: list[tuple[int, int, date]]) -> CandleBuilder:
    opens, closes, dates = zip(*sessions, strict=True)
    return CandleBuilder(ABC, SessionCalendar(opens, closes, dates))


def _add(builder: CandleBuilder, prints: list[naive.Print]) -> list[Candle]:
    return builder.add_trades(
        [at for at, _, _ in prints],
        [price for _, price, _ in prints],
        [size for *_, size in prints],
    )


def _by_timeframe(candles: list[Candle]) -> dict[Timeframe, list[Candle]]:
    return {name: [c for c in candles if c.timeframe == name] for name in TIMEFRAMES}


def _same(candle: Candle, expected: Candle) -> bool:
    close = abs(candle.vwap - expected.vwap) <= 1e-9 * expected.vwap
    fields = [name for name in candle.__struct_fields__ if name != "vwap"]
    return close and all(getattr(candle, name) == getattr(expected, name) for name in fields)


def _assert_same(candles: list[Candle], expected: list[Candle]) -> None:
    assert len(candles) == len(expected)
    for candle, wanted in zip(candles, expected, strict=True):
        assert _same(candle, wanted), (candle, wanted)


@settings(deadline=None)
@given(_markets(), st.data())
def test_candles_are_those_of_the_slow_way_however_prints_are_cut_into_calls(
    market: tuple[list[tuple[int, int, date]], list[naive.Print]], data: st.DataObject
) -> None:
    sessions, prints = market
    builder = _builder(sessions)
    cuts = data.draw(st.lists(st.integers(0, len(prints)), max_size=8).map(sorted))
    done: list[Candle] = []
    for begin, end in pairwise([0, *cuts, len(prints)]):
        done += _add(builder, prints[begin:end])
        if data.draw(st.booleans()) and end:
            done += builder.advance(prints[end - 1][0])
    forming = {name: builder.forming(name) for name in TIMEFRAMES}
    counts = builder.counts()

    expected = naive.candles(sessions, ABC, prints)
    now_ns = prints[-1][0]
    for name, candles in _by_timeframe(done).items():
        _assert_same(candles, [c for c in expected[name] if c.end_ns <= now_ns])
        [unfinished] = [c for c in expected[name] if c.end_ns > now_ns]
        candle = forming[name]
        assert candle is not None
        assert _same(candle, unfinished)
        assert counts[name] == len(expected[name])

    done += builder.advance(now_ns + 8 * DAY)
    for name, candles in _by_timeframe(done).items():
        _assert_same(candles, expected[name])
        assert sum(c.volume for c in candles) == sum(size for *_, size in prints)
        assert sum(c.trades for c in candles) == len(prints)
    ranks = [(c.end_ns, TIMEFRAMES.index(c.timeframe)) for c in done]
    assert ranks == sorted(ranks)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(0, 1e6)), min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=10).map(sorted),
)
def test_how_prints_are_cut_into_calls_does_not_even_show_in_the_rounding(
    values: list[tuple[float, float]], cuts: list[int]
) -> None:
    prints = [(n * 11 * SECOND, price, size) for n, (price, size) in enumerate(values)]
    whole, pieces = (CandleBuilder(ABC, SessionCalendar.continuous()) for _ in range(2))
    done = _add(whole, prints)
    done_in_pieces: list[Candle] = []
    for begin, end in pairwise([0, *cuts, len(prints)]):
        done_in_pieces += _add(pieces, prints[begin:end])
    assert done_in_pieces == done
    assert pieces.advance(8 * DAY) == whole.advance(8 * DAY)


@settings(deadline=None)
@given(st.lists(st.integers(0, 6 * MINUTE), min_size=1, max_size=60))
def test_out_of_order_exactly_the_prints_of_ended_minutes_are_refused(times: list[int]) -> None:
    late, kept = [], []
    now_ns = -1
    for index, at_ns in enumerate(times):
        if (at_ns // MINUTE + 1) * MINUTE <= now_ns:
            late.append(index)
        else:
            kept.append((at_ns, 10.0 + index, float(index)))
        now_ns = max(now_ns, at_ns)
    builder = CandleBuilder(ABC, SessionCalendar.continuous())
    everything = [(at_ns, 10.0 + index, float(index)) for index, at_ns in enumerate(times)]
    refused: tuple[int, ...] = ()
    try:
        done = _add(builder, everything)
    except LateTradesError as refusal:
        refused = refusal.indexes
        done = _add(builder, kept)
    assert list(refused) == late
    done += builder.advance(8 * DAY)
    midnight = datetime(1970, 1, 1, tzinfo=UTC).date()
    expected = naive.candles([(0, DAY, midnight)], ABC, kept)
    for name in TIMEFRAMES[:8]:
        _assert_same(_by_timeframe(done)[name], expected[name])
