"""What an account is worth. Pure: rows and prices in, a valuation out."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from api_gateway.accounts.schemas import OpenPosition, Portfolio
from shared.models.identifiers import Mode

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


def value_position(position: HeldPosition, last_price: Decimal | None) -> OpenPosition:
    """Without a price it counts at what it cost."""
    market_value = position.cost if last_price is None else position.qty * last_price
    return OpenPosition(
        symbol=position.symbol,
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
) -> Portfolio:
    held = list(positions)
    valued = [value_position(p, prices.get(p.symbol)) for p in held if p.qty != 0]
    return Portfolio(
        account_id=account_id,
        mode=mode,
        base_currency=base_currency,
        cash=cash,
        equity=cash + sum((p.market_value for p in valued), ZERO),
        unrealized_pnl=sum((p.unrealized_pnl for p in valued), ZERO),
        realized_pnl=sum((p.realized_pnl for p in held), ZERO),
        fees=sum((p.fees for p in held), ZERO),
        positions=valued,
    )
