"""What an account is worth. Pure: rows and prices in, a valuation out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from api_gateway.accounts.schemas import CurrencyCash, OpenPosition, Portfolio
from shared.models.identifiers import Mode
from shared.trading.amounts import rounded

ZERO = Decimal(0)


class HeldPosition(Protocol):
    """`cost` is what the open quantity cost, exactly."""

    @property
    def symbol(self) -> str: ...
    @property
    def qty(self) -> Decimal: ...
    @property
    def cost(self) -> Decimal: ...
    @property
    def avg_price(self) -> Decimal: ...
    @property
    def realized_pnl(self) -> Decimal: ...
    @property
    def fees(self) -> Decimal: ...


@dataclass(frozen=True)
class ForeignCash:
    cash: Decimal
    #: Of the account's currency, for one unit.
    rate: Decimal


@dataclass(frozen=True)
class Abroad:
    """What books hold in other currencies than the account's."""

    #: By currency, also where only positions are held in it.
    cash: Mapping[str, ForeignCash]
    #: Currencies of such positions, by symbol.
    currencies: Mapping[str, str]
    #: In the account's currency, of all of them.
    realized_pnl: Decimal
    fees: Decimal


def value_position(
    position: HeldPosition, last_price: Decimal | None, currency: str
) -> OpenPosition:
    """In its currency. Without a price it counts at what it cost."""
    market_value = position.cost if last_price is None else position.qty * last_price
    return OpenPosition(
        symbol=position.symbol,
        currency=currency,
        qty=position.qty,
        avg_price=position.avg_price,
        last_price=last_price,
        market_value=market_value,
        unrealized_pnl=market_value - position.cost,
        realized_pnl=position.realized_pnl,
        fees=position.fees,
    )


def value_portfolio(
    account_id: UUID,
    mode: Mode,
    base_currency: str,
    cash: Decimal,
    positions: Iterable[HeldPosition],
    prices: Mapping[str, Decimal],
    abroad: Abroad | None = None,
) -> Portfolio:
    """Of books in several currencies, each at its rate, with what they hold `abroad`."""
    held = list(positions)
    currencies = {} if abroad is None else abroad.currencies
    cash_abroad = {} if abroad is None else abroad.cash
    rates = {currency: held.rate for currency, held in cash_abroad.items()}
    valued = [
        value_position(p, prices.get(p.symbol), currencies.get(p.symbol, base_currency))
        for p in held
        if p.qty != 0
    ]
    at_home = [p for p in held if p.symbol not in currencies]
    worth = [_at(rates.get(p.currency), p.market_value) for p in valued]
    cash_worth = [_at(each.rate, each.cash) for each in cash_abroad.values()]
    return Portfolio(
        account_id=account_id,
        mode=mode,
        base_currency=base_currency,
        cash=cash,
        equity=cash + sum(worth, ZERO) + sum(cash_worth, ZERO),
        unrealized_pnl=sum((_at(rates.get(p.currency), p.unrealized_pnl) for p in valued), ZERO),
        realized_pnl=sum(
            (p.realized_pnl for p in at_home), abroad.realized_pnl if abroad else ZERO
        ),
        fees=sum((p.fees for p in at_home), abroad.fees if abroad else ZERO),
        positions=valued,
        foreign_cash=[
            CurrencyCash(currency=currency, cash=each.cash, rate=each.rate, value=value)
            for (currency, each), value in zip(cash_abroad.items(), cash_worth, strict=True)
        ],
    )


def _at(rate: Decimal | None, amount: Decimal) -> Decimal:
    return amount if rate is None else rounded(amount * rate)
