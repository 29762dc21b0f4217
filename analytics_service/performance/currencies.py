"""Books that have held several currencies, read in the account's.

Each entry counts at the rate that it was made at, which is stored with it (docs/currencies.md).
What was traded abroad is followed by what it did to the cash there, which is held like a position.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

from analytics_service.performance.rates import (
    Abroad,
    RatePoint,
    RateSeries,
    cash_name,
    inverted,
)
from analytics_service.performance.records import Holding, Records
from shared.metrics.equity_curve import Movement
from shared.metrics.executions import CashMove, Fill, SplitMove
from shared.models.cash import FLOW_KINDS
from shared.trading.amounts import ZERO, exactly, plain, rounded

_US = "(extract(epoch FROM {}) * 1000000)::bigint AS at_us"
_BASE = text("SELECT base_currency FROM accounts WHERE id = :account_id")
_ENTRIES = text(
    f"""
    SELECT l.kind, l.amount, l.currency, l.rate, {_US.format("l.at")}, e.symbol,
           CASE e.side WHEN 'buy' THEN e.qty ELSE -e.qty END AS qty, e.price, e.fee,
           coalesce(e.realized_pnl_base, e.realized_pnl) AS realized_pnl, e.fx_rate
      FROM ledger_entries l
      LEFT JOIN executions e ON e.id = l.execution_id AND l.kind = 'fill'
     WHERE l.account_id = :account_id AND l.mode = :mode ORDER BY l.seq
    """  # noqa: S608 - constants
)
_SPLITS = text(
    f"""
    SELECT a.symbol, e.qty_after, e.price, e.realized_pnl, {_US.format("a.effective_at")},
           e.execution_seq
      FROM corporate_action_effects e JOIN corporate_actions a ON a.id = e.action_id
     WHERE e.account_id = :account_id AND e.mode = :mode AND e.price IS NOT NULL
     ORDER BY e.execution_seq, a.effective_at
    """  # noqa: S608 - constants
)
_HOLDINGS = text(
    f"""
    SELECT p.symbol, p.qty, p.cost, m.price, {_US.format("m.at")}
      FROM positions p
      LEFT JOIN order_shard_marks m ON m.symbol = p.symbol AND m.shard = :shard
     WHERE p.account_id = :account_id AND p.mode = :mode AND p.qty <> 0 ORDER BY p.symbol
    """  # noqa: S608 - constants
)
_CASH = text(
    """
    SELECT DISTINCT ON (currency) currency, balance FROM ledger_entries
     WHERE account_id = :account_id AND mode = :mode ORDER BY currency, seq DESC
    """
)
_CURRENCIES = text(
    """
    SELECT symbol, currency FROM instruments
     WHERE currency <> :base AND symbol IN (
           SELECT symbol FROM positions WHERE account_id = :account_id AND mode = :mode)
    """
)
#: None later than the time of the books: the market's in a paced run.
_SET_RATES = text(
    f"""
    SELECT currency, quote_currency, rate, {_US.format("at")} FROM fx_rates
     WHERE :base IN (currency, quote_currency) AND at <= coalesce((
           SELECT to_timestamp(nullif(market_time_ns, 0) / 1e9) FROM order_shards
            WHERE shard = :shard), now())
     ORDER BY fx_rates.at, id
    """  # noqa: S608 - constants
)
_PRICES = text(
    f"""
    SELECT symbol, price, {_US.format("at")} FROM order_shard_marks
     WHERE shard = :shard AND symbol = ANY(:pairs)
    """  # noqa: S608 - constants
)


@exactly
def read_abroad(connection: Connection, keys: dict[str, Any]) -> Records:
    base = connection.execute(_BASE, keys).scalar_one()
    entries = connection.execute(_ENTRIES, keys).all()
    abroad = _abroad(connection, keys | {"base": base}, entries)
    told = _Told(abroad)
    told.take(entries, connection.execute(_SPLITS, keys).all())
    cash = connection.execute(_CASH, keys).all()
    return Records(
        capital=told.capital,
        net_flows=told.net_flows,
        income=told.income,
        cash=sum((_now(row.balance, row.currency, abroad) for row in cash), ZERO),
        realized_pnl=told.realized_pnl,
        fees=told.fees,
        holdings=[_holding(row, abroad) for row in connection.execute(_HOLDINGS, keys)],
        fills=told.fills,
        movements=told.movements,
        abroad=abroad,
    )


def _abroad(connection: Connection, keys: dict[str, Any], entries: Sequence[Row[Any]]) -> Abroad:
    base = keys["base"]
    points: dict[str, list[RatePoint]] = {}
    for row in connection.execute(_SET_RATES, keys):
        if row.quote_currency == base:
            points.setdefault(row.currency, []).append((row.at_us, row.rate))
        else:
            points.setdefault(row.quote_currency, []).append((row.at_us, inverted(row.rate)))
    used: dict[str, list[RatePoint]] = {}
    for row in entries:
        if row.currency != base:
            # What was transferred keeps an earlier rate, and what was converted has its spread.
            known = used.setdefault(row.currency, [])
            if row.kind not in ("transfer", "fx") or not known:
                known.append((row.at_us, row.rate))
    series = {
        currency: RateSeries([*points.get(currency, ()), *rates])
        for currency, rates in used.items()
    }
    currencies = {row.symbol: row.currency for row in connection.execute(_CURRENCIES, keys)}
    abroad = Abroad(base, series, currencies)
    prices = connection.execute(_PRICES, keys | {"pairs": list(abroad.pairs)})
    traded = {row.symbol: [(row.at_us, float(row.price))] for row in prices}
    return Abroad(base, _with_prices(abroad, traded), currencies)


def _with_prices(
    abroad: Abroad, traded: Mapping[str, list[tuple[int, float]]]
) -> dict[str, RateSeries]:
    return {
        currency: series.with_closes(
            traded.get(f"{currency}{abroad.base}", ()), inverse=False
        ).with_closes(traded.get(f"{abroad.base}{currency}", ()), inverse=True)
        for currency, series in abroad.series.items()
    }


def _now(amount: Decimal, currency: str, abroad: Abroad) -> Decimal:
    if currency == abroad.base or not amount:
        return plain(amount)
    return rounded(amount * abroad.series[currency].last)


def _holding(row: Row[Any], abroad: Abroad) -> Holding:
    currency = abroad.currencies.get(row.symbol, abroad.base)
    price = None if row.price is None else _now(row.price, currency, abroad)
    return Holding(row.symbol, row.qty, _now(row.cost, currency, abroad), price, row.at_us)


class _Told:
    """Entry after entry, in the account's currency."""

    def __init__(self, abroad: Abroad) -> None:
        self._abroad = abroad
        self.capital = self.net_flows = self.income = self.realized_pnl = self.fees = ZERO
        self.fills: list[Fill] = []
        self.movements: list[Movement] = []
        #: An execution, a split or income has come: what is paid in from now on is a flow.
        self._begun = False
        #: The first entry of a conversion.
        self._sold: Row[Any] | None = None

    def take(self, entries: Iterable[Row[Any]], splits: Iterable[Row[Any]]) -> None:
        waiting = deque(splits)
        for row in entries:
            while waiting and self._comes_first(waiting[0], row):
                self._split(waiting.popleft())
            self._enter(row)
        for split in waiting:
            self._split(split)

    def _comes_first(self, split: Row[Any], row: Row[Any]) -> bool:
        done = len(self.fills)
        if split.execution_seq != done:
            return bool(split.execution_seq < done)
        return row.kind == "fill" or bool(row.at_us >= split.at_us)

    def _enter(self, row: Row[Any]) -> None:
        foreign = row.currency != self._abroad.base
        if row.kind == "fx":
            self._convert(row)
            return
        if row.kind == "fill":
            self._fill(row)
        elif row.kind != "fee":
            self._move(row, rounded(row.amount * row.rate) if foreign else row.amount)
        if foreign:
            self._hold(row.currency, row.amount, row.rate, row.at_us)

    def _fill(self, row: Row[Any]) -> None:
        rate = row.fx_rate or Decimal(1)
        fill = Fill(
            row.symbol,
            plain(row.qty),
            rounded(row.price * rate),
            rounded(row.fee * rate),
            plain(row.realized_pnl),
            row.at_us,
        )
        self._begun = True
        self.fills.append(fill)
        self.movements.append(fill)
        self.realized_pnl += fill.realized_pnl
        self.fees += fill.fee

    def _move(self, row: Row[Any], amount: Decimal) -> None:
        is_flow = row.kind in FLOW_KINDS
        if is_flow and not self._begun:
            self.capital += amount
            return
        self._begun = True
        self.movements.append(CashMove(plain(amount), row.at_us, is_flow))
        if is_flow:
            self.net_flows += amount
        elif row.kind != "cash_in_lieu":  # that is in the realised profit
            self.income += amount

    def _convert(self, row: Row[Any]) -> None:
        sold, self._sold = self._sold, row
        if sold is None:
            return
        self._sold = None
        home, away = (sold, row) if sold.currency == self._abroad.base else (row, sold)
        self._hold(away.currency, away.amount, rounded(-home.amount / away.amount), row.at_us)

    def _hold(self, currency: str, amount: Decimal, rate: Decimal, at_us: int) -> None:
        name = cash_name(currency)
        self.movements.append(Fill(name, plain(amount), plain(rate), ZERO, ZERO, at_us))

    def _split(self, row: Row[Any]) -> None:
        currency = self._abroad.currencies.get(row.symbol)
        rate = Decimal(1) if currency is None else self._abroad.series[currency].at(row.at_us)
        realized = rounded(row.realized_pnl * rate)
        self._begun = True
        self.realized_pnl += realized
        self.movements.append(
            SplitMove(
                row.symbol, plain(row.qty_after), rounded(row.price * rate), realized, row.at_us
            )
        )
