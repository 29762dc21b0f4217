"""Strategies that do one thing each, for tests of the runtime."""

import time

from strategy_workers.library import Catalogue
from strategy_workers.sdk import SMA, BooleanParameter, Candle, IntParameter, OrderEvent, Strategy

SEEN: list[str] = []


class Scripted(Strategy):
    """Buys one on the candles that `state` has counted to 2, notes everything it hears."""

    name = "scripted"
    at = IntParameter(default=2, low=1, high=1000)

    def on_candle(self, candle: Candle) -> None:
        count = self.state.get("candles", 0) + 1
        self.state["candles"] = count
        SEEN.append(f"candle {candle.symbol} {candle.close:g}")
        if count == self.at:
            self.buy(candle.symbol, 1, reason="it is time")

    def on_order(self, event: OrderEvent) -> None:
        SEEN.append(f"order {event.kind} {self.account_position(event.symbol):.0f} {self.cash:.0f}")


class Faulty(Strategy):
    """Raises on its second candle, right after it has ordered."""

    name = "faulty"

    def on_candle(self, candle: Candle) -> None:
        self.state["candles"] = self.state.get("candles", 0) + 1
        if self.state["candles"] == 2:
            self.buy(candle.symbol, 1)
            raise RuntimeError("that was too much")


class Unstorable(Strategy):
    """Keeps what JSON can't hold."""

    name = "unstorable"

    def on_candle(self, candle: Candle) -> None:
        self.state["seen"] = {candle.symbol}
        self.buy(candle.symbol, 1)


class Resting(Strategy):
    """Leaves a limit order far away, and sells what it has when it is stopped."""

    name = "resting"

    def on_candle(self, candle: Candle) -> None:
        self.state["candles"] = self.state.get("candles", 0) + 1
        if self.state["candles"] == 1:
            self.buy(candle.symbol, 2)
            self.buy(candle.symbol, 1, limit_price=1)

    def on_stop(self) -> None:
        for symbol in self.symbols:
            self.close(symbol, reason="the end")


class Flipping(Strategy):
    """Orders on nearly every candle, by state, history, indicator and position together."""

    name = "flipping"
    warmup = 4

    def on_start(self) -> None:
        self.average = self.indicator(SMA, 3)

    def on_candle(self, candle: Candle) -> None:
        self.state["turn"] = self.state.get("turn", 0) + 1
        average = self.average[candle.symbol]
        if average is None:
            return
        spread = max(known.close for known in self.candles(candle.symbol)) - average
        if self.position(candle.symbol) == 0 and self.pending(candle.symbol) == 0:
            self.buy(candle.symbol, 1 + self.state["turn"] % 3, reason=f"{spread:.4f}")
        elif self.state["turn"] % 2:
            self.close(candle.symbol, reason=f"{spread:.4f} {self.cash}")

    def on_order(self, event: OrderEvent) -> None:
        self.state[event.kind] = self.state.get(event.kind, 0) + 1


class Watching(Strategy):
    """Notes how much history it has."""

    name = "watching"
    warmup = 3

    def on_start(self) -> None:
        self.average = self.indicator(SMA, 3)

    def on_candle(self, candle: Candle) -> None:
        average = self.average[candle.symbol]
        shown = None if average is None else f"{average:g}"
        SEEN.append(f"{len(self.candles(candle.symbol))} candles, average {shown}")


class Guarded(Strategy):
    """Buys, then leaves an entry and an exit far away; counts candles."""

    name = "guarded"

    def on_candle(self, candle: Candle) -> None:
        count = self.state["candles"] = self.state.get("candles", 0) + 1
        if count == 1:
            self.buy(candle.symbol, 2)
        elif count == 2:
            self.buy(candle.symbol, 1, limit_price=1)
            self.sell(candle.symbol, 1, limit_price=1000)
        elif count == 3:
            position, pending = self.position(candle.symbol), self.pending(candle.symbol)
            SEEN.append(f"has {position:.0f}, pending {pending:.0f}")


class Tunable(Strategy):
    """Notes its averages; one of them depends on a parameter. Can't start with some of them."""

    name = "tunable"
    period = IntParameter(default=2, low=1, high=100)
    fault_at = IntParameter(default=1000, low=1, high=1000)

    def on_start(self) -> None:
        if self.period == 13:
            raise RuntimeError("not with 13")
        self.warmup = 5
        self.fixed = self.indicator(SMA, 4)
        self.tuned = self.indicator(SMA, self.period)

    def on_candle(self, candle: Candle) -> None:
        count = self.state["candles"] = self.state.get("candles", 0) + 1
        SEEN.append(f"{count}: {self.fixed[candle.symbol]} {self.tuned[candle.symbol]}")
        self.log.bind(period=self.period).info("heard", count=count, odd="\0\ud800")
        if count == self.fault_at:
            raise RuntimeError("that was too much")


class Chasing(Strategy):
    """Rests a limit order one below the price, and moves it with each candle until it fills."""

    name = "chasing"

    def on_candle(self, candle: Candle) -> None:
        resting = self.state.get("resting")
        if resting is None:
            self.state["resting"] = self.buy(candle.symbol, 1, candle.close - 1)
        elif moved := self.replace(resting, limit_price=candle.close - 1):
            self.state["resting"] = moved

    def on_order(self, event: OrderEvent) -> None:
        SEEN.append(f"order {event.kind}")


class Hanging(Strategy):
    """Never comes back from its second candle; where it is stubborn, it catches what it can."""

    name = "hanging"
    stubborn = BooleanParameter(default=False)

    def on_candle(self, _candle: Candle) -> None:
        count = self.state["candles"] = self.state.get("candles", 0) + 1
        while count == 2:
            try:
                time.sleep(0.001)
            except BaseException:
                if not self.stubborn:
                    raise


SAMPLES = Catalogue(
    [
        Scripted, Faulty, Unstorable, Resting, Flipping, Watching, Guarded, Tunable, Chasing,
        Hanging,
    ]
)  # fmt: skip
