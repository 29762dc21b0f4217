"""nautilus_trader's internal aggregation, without its engine: the fastest way it has."""

# mypy: disable-error-code="import-not-found"

import sys
from typing import Any

from nautilus_trader.common.component import TestClock
from nautilus_trader.data.aggregation import TimeBarAggregator
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BarType, TradeTick
from nautilus_trader.model.enums import AggressorSide
from nautilus_trader.model.identifiers import InstrumentId, TradeId, Venue
from nautilus_trader.model.identifiers import Symbol as NautilusSymbol
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Price, Quantity

from bench.data import SYMBOLS, prints
from bench.measuring import measure

_SPECIFICATIONS = ("1-MINUTE", "5-MINUTE", "15-MINUTE", "1-HOUR")
_MINUTE_NS = 60_000_000_000


def _instrument(number: int) -> Equity:
    symbol = NautilusSymbol(f"S{number:02d}")
    return Equity(
        instrument_id=InstrumentId(symbol, Venue("SIM")),
        raw_symbol=symbol,
        currency=USD,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
    )


def main(count: int) -> None:
    data = prints(count)
    instruments = [_instrument(number) for number in range(SYMBOLS)]
    trade_id = TradeId("1")
    ticks = [
        TradeTick(
            instruments[symbol].id,
            Price(price, 2),
            Quantity(size, 0),
            AggressorSide.BUYER,
            trade_id,
            at_ns,
            at_ns,
        )
        for symbol, at_ns, price, size in zip(
            data.symbol_index, data.at_ns, data.price, data.size, strict=True
        )
    ]
    symbols = data.symbol_index.tolist()
    done: list[Any] = []
    clock = TestClock()
    first_ns = data.at_ns[0]
    clock.set_time(first_ns)
    handlers = [
        [
            TimeBarAggregator(
                instrument,
                BarType.from_str(f"{instrument.id}-{specification}-LAST-INTERNAL"),
                done.append,
                clock,
                build_with_no_updates=False,
            ).handle_trade_tick
            for specification in _SPECIFICATIONS
        ]
        for instrument in instruments
    ]

    def work() -> None:
        boundary_ns = first_ns - first_ns % _MINUTE_NS + _MINUTE_NS
        for symbol, tick in zip(symbols, ticks, strict=True):
            at_ns = tick.ts_init
            if at_ns >= boundary_ns:
                for event in clock.advance_time(at_ns):
                    event.handle()
                boundary_ns = at_ns - at_ns % _MINUTE_NS + _MINUTE_NS
            for handle in handlers[symbol]:
                handle(tick)
        for event in clock.advance_time(boundary_ns + 60 * _MINUTE_NS):
            event.handle()

    def checks() -> dict[str, int | float]:
        minutes = [bar for bar in done if str(bar.bar_type.spec) == "1-MINUTE-LAST"]
        return {"minutes": len(minutes), "volume": sum(float(bar.volume) for bar in minutes)}

    measure(work, count, checks)


if __name__ == "__main__":
    main(int(sys.argv[1]))
