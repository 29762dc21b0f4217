"""What the statistics of one account's books are made of."""

from dataclasses import dataclass
from decimal import Decimal

from analytics_service.performance.rates import Abroad
from shared.metrics.equity_curve import Movement
from shared.metrics.executions import Fill


@dataclass(frozen=True)
class Holding:
    symbol: str
    qty: Decimal
    #: What the open quantity cost.
    cost: Decimal
    #: Last price that the account's order processor saw; None when it saw none.
    last_price: Decimal | None
    #: When that price was, microseconds of market time; None without one.
    priced_at_us: int | None


@dataclass(frozen=True)
class Records:
    #: What was paid in, less what was taken out, before the first execution or income; what books
    #: that aren't open yet will begin with.
    capital: Decimal
    #: The same since then.
    net_flows: Decimal
    #: Interest, dividends and adjustments.
    income: Decimal
    cash: Decimal
    realized_pnl: Decimal
    fees: Decimal
    #: Open positions.
    holdings: list[Holding]
    #: In the order in which they happened.
    fills: list[Fill]
    #: The fills, and the cash moves from the first fill or income on, in their order.
    movements: list[Movement]
    #: What has another currency than the account's; None where nothing has. All amounts above are
    #: in the account's.
    abroad: Abroad | None = None
