"""What many deployments ask for is worked out once, and nobody can tell."""

import gc
from collections.abc import Sequence

from shared.models.market import Candle as MarketCandle
from shared.models.market import TimeMark
from strategy_workers.deployments.variables import variables_of
from strategy_workers.runtime.deployment import Deployment
from strategy_workers.runtime.shared_indicators import SharedIndicators
from strategy_workers.runtime.slices import Slice
from strategy_workers.sdk import ATR, EMA, MACD, Candle, IntParameter, Strategy
from tests.strategy_workers.backtests.support import walk
from tests.strategy_workers.doubles import MINUTE_NS, candle
from tests.strategy_workers.test_sma_crossover import deployed


class Averaging(Strategy):
    """Notes all that its indicators say, of both symbols, at each candle."""

    name = "averaging"
    period = IntParameter(default=3, low=1, high=100)

    def on_start(self) -> None:
        self.average = self.indicator(EMA, self.period)
        self.fixed = self.indicator(MACD, 3, 6, 2)
        self.range = self.indicator(ATR, 4)
        self.odd = self.indicator(EMA, 3, of=lambda candle: candle.high)

    def on_candle(self, _candle: Candle) -> None:
        for one in (self.average, self.fixed, self.range, self.odd):
            for symbol in self.symbols:
                said = [one.previous(symbol), one[symbol]]
                self.state.setdefault("said", []).append(repr(said))


class Worker:
    """What a worker does with the candles of a slice."""

    def __init__(self) -> None:
        self.shared = SharedIndicators()
        self.deployments: list[Deployment] = []
        self.minute = 0

    def take(self, **parameters: object) -> Deployment:
        deployment = fresh(**parameters)
        self.admit(deployment)
        return deployment

    def admit(self, deployment: Deployment) -> None:
        self.deployments.append(deployment)
        self.shared.join(deployment.market)

    def hear(self, candles: Sequence[MarketCandle]) -> None:
        piece = Slice()
        piece.add(candles)
        self.shared.take(piece)
        decide(self.deployments, piece, candles[0].end_ns)

    def run_started(self) -> None:
        for one in self.deployments:
            one.run_started("0-0", paced=True)
            self.shared.join(one.market)


def fresh(**parameters: object) -> Deployment:
    return deployed(("AAA", "BBB"), strategy=Averaging, parameters=parameters)


def decide(deployments: Sequence[Deployment], piece: Slice, at_ns: int) -> None:
    mark = TimeMark(number=1, at_ns=at_ns, phase="strategy", paced=True)
    for one in deployments:
        one.decide(f"{at_ns}-0", mark, (), piece.candles(one.market.sources))
        one.saved()


def minutes() -> list[list[MarketCandle]]:
    """Of two symbols, one of which has holes."""
    prices = [[bar[4] for bar in walk(seed, 40)] for seed in (1, 2)]
    return [
        [
            candle(symbol, number * MINUTE_NS, column[number])
            for symbol, column in zip(("AAA", "BBB"), prices, strict=True)
            if symbol == "AAA" or number % 5
        ]
        for number in range(40)
    ]


def alone(candles: Sequence[Sequence[MarketCandle]], **parameters: object) -> list[str]:
    deployment = fresh(**parameters)
    for each in candles:
        piece = Slice()
        piece.add(each)
        decide([deployment], piece, each[0].end_ns)
    return list(deployment.state.get("said", ()))


def said(deployment: Deployment) -> list[str]:
    return list(deployment.state.get("said", ()))


def test_equal_indicators_are_worked_out_once_and_say_the_same() -> None:
    worker = Worker()
    for _ in range(5):
        worker.take()
    other = worker.take(period=7)
    # EMA of 3, of 7, MACD and ATR of two symbols; what a lambda feeds is like nothing else.
    assert len(worker.shared) == 8
    for each in minutes():
        worker.hear(each)
    expected = alone(minutes())
    assert [said(one) for one in worker.deployments[:5]] == [expected] * 5
    assert said(other) == alone(minutes(), period=7)


def test_one_that_came_later_is_on_its_own_until_a_run_begins() -> None:
    worker = Worker()
    worker.take()
    feed = minutes()
    for each in feed[:10]:
        worker.hear(each)
    late = worker.take()
    for each in feed[10:20]:
        worker.hear(each)
    assert said(late) == alone(feed[10:20])
    assert said(worker.deployments[0]) == alone(feed[:20])
    for one in worker.deployments:
        one.state.clear()
    worker.run_started()
    assert len(worker.shared) == 6
    for each in feed:
        worker.hear(each)
    assert [said(one) for one in worker.deployments] == [alone(feed)] * 2


def test_those_that_were_stored_share_again_and_go_on_exactly() -> None:
    feed = minutes()
    worker = Worker()
    for _ in range(3):
        worker.take()
    for each in feed[:15]:
        worker.hear(each)
    bodies = [one.snapshot() for one in worker.deployments]
    known = variables_of(bodies[0]).indicators
    successor = Worker()
    for body in bodies:
        one = fresh()
        one.restore(body)
        successor.admit(one)
    assert len(successor.shared) == 6
    for each in feed[15:]:
        successor.hear(each)
    assert [said(one) for one in successor.deployments] == [alone(feed)] * 3
    assert set(known) == {"average", "fixed", "range", "odd"}


def test_one_that_leaves_the_others_goes_on_from_where_they_were() -> None:
    feed = minutes()
    worker = Worker()
    first, second = worker.take(), worker.take()
    for each in feed[:15]:
        worker.hear(each)
    for one in second.market.indicators:
        one.share_no_more()
    changed = fresh()
    changed.inherit(first)  # as when parameters change
    worker.deployments = [second, changed]
    for each in feed[15:]:
        worker.hear(each)
    assert said(second) == alone(feed)
    # But for what is fed by a function that nobody can compare: that begins anew.
    for place in range(6):
        assert said(changed)[place::8] == alone(feed)[place::8]
    # Nothing is worked out for nobody.
    worker.deployments.clear()
    del first, second, changed, one
    gc.collect()
    assert len(worker.shared) == 0
