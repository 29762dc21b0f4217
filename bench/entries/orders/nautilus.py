"""nautilus_trader's BacktestEngine on bars from outside, without its report at the end."""

# mypy: disable-error-code="import-not-found"

import sys
from decimal import Decimal

from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from bench.entries.orders.market import (
    BEGIN_NS,
    CASH,
    MINUTE_NS,
    RESTING_A_BAR,
    SIZE,
    VOLUME,
    Kind,
    bars,
    limit_cents,
)
from bench.measuring import measure

_VENUE = Venue("SIM")
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


class Orders(Strategy):  # type: ignore[misc]
    def __init__(self, config: StrategyConfig, kind: Kind, orders: int) -> None:
        super().__init__(config)
        self.resting = kind == "resting"
        self.orders = orders
        self.sent = self.fills = self.cents = 0

    def on_start(self) -> None:
        self.size = _INSTRUMENT.make_qty(Decimal(SIZE))
        self.subscribe_bars(_BARS)

    def on_order_filled(self, event: object) -> None:
        self.fills += 1
        paid = event.last_px.as_decimal() * event.last_qty.as_decimal()  # type: ignore[attr-defined]
        self.cents += int(paid * 100)

    def on_bar(self, _bar: Bar) -> None:
        make = self.order_factory
        until = min(self.sent + (RESTING_A_BAR if self.resting else 1), self.orders)
        for number in range(self.sent, until):
            if self.resting:
                price = Price(limit_cents(number) / 100, 2)
                self.submit_order(make.limit(_INSTRUMENT.id, OrderSide.BUY, self.size, price))
            else:
                side = OrderSide.SELL if number % 2 else OrderSide.BUY
                self.submit_order(make.market(_INSTRUMENT.id, side, self.size))
        self.sent = until


def main(orders: int, kind: Kind) -> None:
    data = bars(kind, orders)
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
        # Its margins are worked out anew over all working orders with each event of one: without
        # this the figures would be those of that alone.
        frozen_account=True,
    )
    engine.add_instrument(_INSTRUMENT)
    volume = Quantity(VOLUME, 0)
    engine.add_data(
        [
            Bar(_BARS, *(Price(cents / 100, 2) for cents in prices), volume, ended, ended)
            for ended, *prices in zip(
                range(BEGIN_NS + MINUTE_NS, BEGIN_NS + (len(data.open) + 1) * MINUTE_NS, MINUTE_NS),
                data.open,
                data.high,
                data.low,
                data.close,
                strict=True,
            )
        ]
    )
    strategy = Orders(StrategyConfig(strategy_id="ORDERS-1"), kind, orders)
    engine.add_strategy(strategy)
    measure(engine.run, orders, lambda: {"fills": strategy.fills, "cents": strategy.cents})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])  # type: ignore[arg-type]
