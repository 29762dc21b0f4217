"""How many frames of forming candles go out, and whose."""

from msgspec import json
from redis.asyncio import Redis

from market_data_engine.replays.frames import FrameNumbers, RunFrames
from shared.candles.calendar import SessionCalendar
from shared.models.identifiers import TIMEFRAMES, Symbol
from shared.models.market import Trades
from shared.redis.topics import Frame
from shared.replays.candles import RunCandles
from shared.replays.slices import Slice

ALL = [Symbol("A"), Symbol("B"), Symbol("C")]
#: Of one symbol.
FRAMES = len(TIMEFRAMES)


class Run:
    def __init__(self, numbers: FrameNumbers, most_per_s: float) -> None:
        self._candles = RunCandles(dict.fromkeys(ALL, SessionCalendar.continuous()))
        self._frames = RunFrames(numbers, self._candles, 4, most_per_s)

    def trade(self, symbol: Symbol, price: float) -> None:
        trades = Trades(symbols=[symbol], symbol_index=[0], at_ns=[1], price=[price], size=[1.0])
        self._candles.take(Slice(trades, 2))
        self._frames.touch([symbol])

    def shown(self, now_s: float | None) -> dict[str, float]:
        """The close of each symbol that is shown then."""
        frames = self._frames.forming(now_s)
        assert len(frames) % FRAMES == 0
        return dict(map(_close, frames))


def _close(frame: Frame) -> tuple[str, float]:
    candle = json.decode(frame[2])["data"]["candle"]
    return candle["symbol"], candle["close"]


async def numbers(redis: Redis) -> FrameNumbers:
    made = FrameNumbers(redis)
    await made.load(ALL)
    return made


async def test_a_symbol_is_shown_four_times_a_second_with_its_last_state(redis: Redis) -> None:
    run = Run(await numbers(redis), 1e9)
    run.trade(ALL[0], 1.0)
    assert run.shown(10.0) == {"A": 1.0}
    run.trade(ALL[0], 2.0)
    assert run.shown(10.2) == {}
    run.trade(ALL[0], 3.0)
    run.trade(ALL[1], 9.0)
    assert run.shown(10.24) == {"B": 9.0}
    assert run.shown(10.25) == {"A": 3.0}
    assert run.shown(20.0) == {}


async def test_when_all_are_too_many_symbols_take_turns_and_none_is_forgotten(
    redis: Redis,
) -> None:
    run = Run(await numbers(redis), 4 * FRAMES)
    for symbol in ALL:
        run.trade(symbol, 1.0)
    assert run.shown(10.0) == {"A": 1.0}
    run.trade(ALL[0], 2.0)
    run.trade(ALL[1], 2.0)
    shown = [run.shown(10.0 + step / 20) for step in range(1, 25)]
    assert [one for one in shown if one] == [{"B": 2.0}, {"C": 1.0}, {"A": 2.0}]


async def test_at_the_end_of_a_run_all_that_changed_is_shown_at_once(redis: Redis) -> None:
    run = Run(await numbers(redis), FRAMES)
    for symbol in ALL:
        run.trade(symbol, 1.0)
    assert run.shown(None) == {"A": 1.0, "B": 1.0, "C": 1.0}
    assert run.shown(None) == {}
