"""Candles that are written once say what each answer would."""

from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from market_data_engine.history.memory import KEPT
from market_data_engine.history.schemas import item
from market_data_engine.history.written import WrittenCandles
from market_data_engine.store.stored import StoredCandle
from shared.models.identifiers import Symbol
from shared.models.market import Candle

MINUTE_NS = 60_000_000_000
ABC = Symbol("ABC")


def series(count: int, first: int = 0) -> list[StoredCandle]:
    return [
        StoredCandle(
            Candle(
                ABC, "1m", minute * MINUTE_NS, (minute + 1) * MINUTE_NS, 1.0, 2.0, 0.5, 1.5,
                float(minute), 1.25, 3,
            ),
            "live",
            "complete",
            minute,
        )
        for minute in range(first, first + count)
    ]  # fmt: skip


def plain(candles: list[StoredCandle]) -> bytes:
    return msgspec.json.encode([item(one.candle, one) for one in candles])


@dataclass
class Asking:
    kept: WrittenCandles

    def answer(self, candles: list[StoredCandle], symbol: str = ABC) -> bytes:
        return msgspec.json.encode(self.kept.of(symbol, "1m", candles))


def test_every_answer_says_what_the_candles_say_also_after_they_have_moved_on() -> None:
    asking = Asking(WrittenCandles())
    candles = series(3 * KEPT)
    for first in (0, 0, 1, 2, 400, 900, 1000, 5):
        for count in (KEPT, 10, 0):
            asked = candles[first : first + count]
            assert asking.answer(asked) == plain(asked)
    assert asking.answer(candles) == plain(candles)


def test_a_candle_that_was_healed_is_written_anew() -> None:
    asking = Asking(WrittenCandles())
    candles = series(5)
    asking.answer(candles)
    candles[2] = replace(candles[2], quality="healed", source="alpaca")
    assert asking.answer(candles) == plain(candles)
    assert b"healed" in asking.answer(candles)


def test_the_same_candles_are_not_written_again_and_few_series_are_kept() -> None:
    kept = WrittenCandles(most_series=2)
    candles = series(5)
    first = kept.of("A", "1m", candles)
    assert all(one is other for one, other in zip(first, kept.of("A", "1m", candles), strict=True))
    for symbol in ("B", "C"):
        kept.of(symbol, "1m", candles)
    assert kept.of("A", "1m", candles)[0] is not first[0]
    assert kept.of("C", "1m", candles)[0] is kept.of("C", "1m", candles)[0]
