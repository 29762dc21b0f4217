"""Markets in files, plans without parameters, and strategies that order a lot."""

import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import MINUTE_NS
from shared.models.identifiers import Timeframe
from shared.trading.paper_terms import basis_points
from strategy_workers.backtests.intrabar import path as prices_within
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.runtime.desk import market_time
from strategy_workers.sdk import SMA, Candle, IntParameter, OrderEvent, Stop, Strategy

#: Start, open, high, low, close.
Bar = tuple[int, float, float, float, float]
MONDAY_NS = 1_546_819_200 * 10**9  # 2019-01-07


def plan_of(
    strategy: type[Strategy],
    files: Sequence[Path],
    source: Any = "candles",
    timeframe: Timeframe = "1m",
    **terms: Any,
) -> Plan:
    """Free unless `fee_bps`, `slippage_bps` or `paper` say otherwise."""
    bps = [Decimal(terms.pop(name, 0)) for name in ("fee_bps", "slippage_bps")]
    free: dict[str, Any] = {"paper": basis_points(*bps), "exchange": "24/7"}
    return Plan(
        strategy=strategy,
        parameters=strategy.parse_parameters({}),
        timeframe=timeframe,
        source=source,
        files=tuple(files),
        calendar=SessionCalendar.continuous(),
        terms=Terms(**{**free, **terms}),
    )


def stamp(at_ns: int) -> str:
    return market_time(at_ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_candles(path: Path, bars: Sequence[Bar]) -> Path:
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        f"{stamp(at_ns)},{','.join(str(price) for price in prices)},40" for at_ns, *prices in bars
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_prints(path: Path, markets: dict[str, Sequence[Bar]]) -> Path:
    """Each bar as the four prints that it is taken to be made of."""
    prints = [
        (at_ns, symbol, price)
        for symbol, bars in sorted(markets.items())
        for start_ns, open_, high, low, close in bars
        for at_ns, price in prices_within(start_ns, start_ns + MINUTE_NS, open_, high, low, close)
    ]
    prints.sort(key=lambda one: one[0])
    lines = ["timestamp,symbol,price,size"]
    lines += [f"{stamp(at_ns)},{symbol},{price},10" for at_ns, symbol, price in prints]
    path.write_text("\n".join(lines) + "\n")
    return path


def walk(seed: int, count: int, *, holes: bool = False) -> list[Bar]:
    numbers = random.Random(seed)
    last, bars = 100.0, []
    for minute in range(count):
        prices = [last]
        for _ in range(3):
            last = round(max(1.0, last + numbers.choice((-0.05, -0.02, 0.0, 0.02, 0.05))), 2)
            prices.append(last)
        if holes and numbers.random() < 0.2:
            continue
        at_ns = MONDAY_NS + minute * MINUTE_NS
        bars.append((at_ns, prices[0], max(prices), min(prices), prices[-1]))
    return bars


class Busy(Strategy):
    """Orders of every kind, cancels and reactions, decided by what it has seen."""

    name = "busy"
    seed = IntParameter(default=1, low=0, high=1_000_000)

    def on_start(self) -> None:
        self.average = self.indicator(SMA, 5)
        self.high = self.indicator(SMA, 3, of=lambda candle: candle.high)
        self.numbers = random.Random(self.seed)
        self.names: list[str] = []
        self.call_every("tidy", timedelta(minutes=37))

    def on_candle(self, candle: Candle) -> None:
        symbol, price = candle.symbol, Decimal(str(candle.close))
        match self.numbers.randrange(26):
            case 0:
                self.buy(symbol, 3)
            case 1:
                self.close(symbol)
            case 2:
                self.names.append(self.buy(symbol, 2, price - Decimal("0.05")))
            case 3 if self.position(symbol) > self.pending(symbol):
                self.sell(symbol, 1, price + Decimal("0.05"))
            case 4:
                self.buy(symbol, 1, price - Decimal("0.20"), time_in_force="day")
            case 5:
                self.cancel(symbol)
            case 6 if self.names:
                self.cancel(symbol, self.names.pop())
            case 7:
                self.buy(symbol, 1_000_000)  # more than there is
            case 8:
                # Cancelled in the very moment of its order.
                self.cancel(symbol, self.buy(symbol, 1, price - Decimal(1)))
            case 9 if self.average[symbol] and self.high[symbol]:
                self.target_position(symbol, int(candle.close > (self.average[symbol] or 0)))

            case 10:
                self.names.append(self.buy(symbol, 1, stop_price=price + Decimal("0.04")))
            case 11:
                self.buy(symbol, 1, price + Decimal("0.06"), stop_price=price + Decimal("0.03"))
            case 12 if self.position(symbol) > self.pending(symbol):
                self.sell(symbol, 1, trail_price=Decimal("0.07"))
            case 13:
                self.buy(symbol, 1, trail_percent=Decimal("0.1"), time_in_force="day")
            case 14:
                self.buy(
                    symbol, 1, price - Decimal("0.03"), expires_at=self.now + timedelta(minutes=7)
                )
            case 15:
                self.buy(symbol, 1, price, time_in_force="ioc")
            case 16:
                self.sell(symbol, 1)  # which it may not have
            case 18 if self.names:
                self.replace(self.names[-1], limit_price=price - Decimal("0.03"))
            case 19 if self.names:
                self.replace(self.names.pop(), qty=1)
            case 20:
                self.names.append(
                    self.buy(
                        symbol, 2, price - Decimal("0.02"), take_profit=price + Decimal("0.06"),
                        stop_loss=price - Decimal("0.08"),
                    )
                )  # fmt: skip
            case 21:
                self.buy(symbol, 1, stop_loss=Stop(trail_price=Decimal("0.06")))
            case 22:
                self.oco(
                    symbol, take_profit=price + Decimal("0.05"),
                    stop_loss=Stop(price - Decimal("0.05"), price - Decimal("0.07")),
                )  # fmt: skip
            case 23 if self.names:
                self.replace(f"{self.names[-1]}.stop_loss", stop_price=price - Decimal("0.04"))
            case 24 if self.names:
                self.cancel(symbol, f"{self.names[-1]}.take_profit")
            case 25:
                # Of the same moment, and none of it is left.
                self.buy(symbol, 1, take_profit=price + 1, stop_loss=price - 1)
                self.close(symbol)
            case 17:
                self.call_at("later", self.now + timedelta(minutes=3, seconds=20))

    def on_timer(self, name: str) -> None:
        if name == "tidy":
            for symbol in self.symbols:
                self.cancel(symbol)
        else:
            self.buy(self.symbols[-1], 1, reason=f"{name} {self.now}")

    def on_moment(self, candles: Sequence[Candle]) -> None:
        if self.numbers.random() < 0.05:
            self.buy(candles[-1].symbol, len(candles))

    def on_order(self, event: OrderEvent) -> None:
        if event.kind == "filled" and event.side == "buy" and self.numbers.random() < 0.3:
            self.sell(event.symbol, 1)


class Peeking(Strategy):
    """Draws what is forming beside each candle, and trades on it."""

    name = "peeking"

    def on_start(self) -> None:
        self.quarter = self.forming("15m")
        self.average = self.indicator(SMA, 3)

    def on_candle(self, candle: Candle) -> None:
        under_way = self.quarter[candle.symbol]
        self.plot("average", self.average[candle.symbol], symbol=candle.symbol)
        if under_way is not None:
            self.plot("high", under_way.high, symbol=candle.symbol)
            self.plot("minutes", (under_way.end_ns - under_way.start_ns) // 60_000_000_000)
            if under_way.close > under_way.open:
                self.target_position(candle.symbol, 1)
            else:
                self.close(candle.symbol)
