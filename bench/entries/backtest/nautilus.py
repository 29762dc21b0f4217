"""nautilus_trader's BacktestEngine on bars from outside, without its report at the end."""

# mypy: disable-error-code="import-not-found"

import sys
from decimal import Decimal

from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from bench.entries.backtest.bars import CASH, EPSILON, FAST, SIZE, SLOW, bars
from bench.measuring import measure

_VENUE = Venue("SIM")
_MINUTE_NS = 60_000_000_000
_INSTRUMENT = Equity(
    instrument_id=InstrumentId(Symbol("AAA"), _VENUE),
    raw_symbol=Symbol("AAA"),
    currency=USD,
    price_precision=2,
    price_increment=Price.from_str("0.01"),
    lot_size=Quantity.from_int(1),
    ts_event=0,
    ts_init=0,
)
_BARS = BarType.from_str("AAA.SIM-1-MINUTE-LAST-EXTERNAL")


class Crossover(Strategy):  # type: ignore[misc]
    def __init__(self, config: StrategyConfig) -> None:
        super().__init__(config)
        self.quick = SimpleMovingAverage(FAST)
        self.calm = SimpleMovingAverage(SLOW)
        self.fills = 0
        self.ready = False

    def on_start(self) -> None:
        self.size = _INSTRUMENT.make_qty(Decimal(SIZE))
        self.register_indicator_for_bars(_BARS, self.quick)
        self.register_indicator_for_bars(_BARS, self.calm)
        self.subscribe_bars(_BARS)

    def on_order_filled(self, _event: object) -> None:
        self.fills += 1

    def on_bar(self, _bar: Bar) -> None:
        if not self.ready:
            self.ready = self.indicators_initialized()
            return
        quick, calm = self.quick.value, self.calm.value
        if quick > calm + EPSILON:
            if self.portfolio.is_flat(_INSTRUMENT.id):
                self._send(OrderSide.BUY)
        elif quick < calm - EPSILON and self.portfolio.is_net_long(_INSTRUMENT.id):
            self._send(OrderSide.SELL)

    def _send(self, side: OrderSide) -> None:
        self.submit_order(self.order_factory.market(_INSTRUMENT.id, side, self.size))


def main(count: int) -> None:
    data = bars(count)
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    )
    engine.add_venue(
        venue=_VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(CASH, USD)],
        default_leverage=Decimal(1),
    )
    engine.add_instrument(_INSTRUMENT)
    columns = (data.open, data.high, data.low, data.close)
    engine.add_data(
        [
            Bar(_BARS, *(Price(price, 2) for price in prices), Quantity(volume, 0), ended, ended)
            for ended, volume, *prices in zip(
                (at_ns + _MINUTE_NS for at_ns in data.at_ns), data.volume, *columns, strict=True
            )
        ]
    )
    strategy = Crossover(StrategyConfig(strategy_id="CROSSOVER-1"))
    engine.add_strategy(strategy)
    measure(engine.run, count, lambda: {"fills": strategy.fills})


if __name__ == "__main__":
    main(int(sys.argv[1]))
