"""The actors of a run: a deployment as on a worker, an account as in an order processor."""

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar
from uuid import UUID

from shared.trading.amounts import ZERO, measured
from strategy_workers.backtests.account import ACCOUNT_ID, Account, PriceOf
from strategy_workers.backtests.errors import StrategyRaisedError
from strategy_workers.backtests.outcome import Closes, Gap, Outcome
from strategy_workers.backtests.plan import Plan
from strategy_workers.runtime.deployment import Deployment, DeploymentRecord, HookError
from strategy_workers.runtime.desk import Lots
from strategy_workers.runtime.plots import ThinnedPlots
from strategy_workers.runtime.portfolio import Portfolio

P = ParamSpec("P")
T = TypeVar("T")

DEPLOYMENT_ID = UUID("6b1d0f0e-0000-4000-8000-000000000002")
#: Of each series.
_PLOTTED_POINTS = 2000


class Stage:
    def __init__(self, plan: Plan, symbols: Sequence[str]) -> None:
        """Raises StrategyRaisedError when `on_start` raises."""
        self.symbols = tuple(symbols)
        terms = plan.terms
        self.account = Account(terms, symbols, plan.calendar)
        record = DeploymentRecord(
            id=DEPLOYMENT_ID,
            account_id=ACCOUNT_ID,
            mode="paper",
            strategy=plan.strategy.name,
            parameters=plan.strategy.encode_parameters(plan.parameters),
            symbols=plan.symbols or self.symbols,
            timeframe=plan.timeframe,
            wanted="running",
            status="running",
            snapshot=None,
            lots={symbol: Lots(terms.lot_size, terms.tick_size) for symbol in symbols},
            margin=terms.margin,
        )
        self.deployment = raising(Deployment, record, plan.strategy)
        self.deployment.portfolio = Portfolio(cash=self.account.books.cash)
        self.deployment.market.warm = True
        self.deployment.market.begin_run()
        self.plots = self.deployment.desk.plots = ThinnedPlots(_PLOTTED_POINTS)
        self.candles = 0
        self._ended = False

    @property
    def paused(self) -> bool:
        """It was stopped, or a margin call was not met: the strategy decides no more."""
        margin = self.account.margin
        return self._ended or (margin is not None and margin.liquidations > 0)

    def send(self, at_ns: int, price_of: PriceOf) -> None:
        if self.deployment.has_decided:
            self.account.send(self.deployment, at_ns, price_of)

    def end(self, at_ns: int, price_of: PriceOf) -> None:
        """Once: the strategy says its last words, what works still is cancelled, as in a stop."""
        if self._ended:
            return
        if not self.paused:
            raising(self.deployment.stop)
            self.send(at_ns, price_of)
        self.account.cancel_working(at_ns, self.deployment.record.is_last_word)
        self._ended = True

    def outcome(
        self,
        rows: int,
        span: tuple[int, int],
        price_of: PriceOf,
        closes: dict[str, Closes],
        gaps: list[Gap],
    ) -> Outcome:
        account, margin = self.account, self.account.margin
        holdings = account.books.holdings.values()
        positions = {}
        for one in holdings:
            price = price_of(one.symbol)
            if one.qty and price is not None:
                positions[str(one.symbol)] = (one.qty, one.value(measured(price)))
        return Outcome(
            symbols=self.symbols,
            rows=rows,
            first_ns=span[0],
            last_ns=span[1],
            closes=closes,
            executions=account.executions,
            cash=account.books.cash,
            equity=account.equity(price_of),
            positions=positions,
            realized_pnl=sum((one.realized_pnl for one in holdings), ZERO),
            fees=sum((one.fees for one in holdings), ZERO),
            signals=self.deployment.journal.signals,
            orders=account.orders,
            rejected=account.rejected,
            refused=account.refused + self.deployment.held_back,
            candles=self.candles,
            gaps=gaps,
            charges=[] if margin is None else margin.charges,
            margin_calls=0 if margin is None else margin.calls,
            liquidations=0 if margin is None else margin.liquidations,
            plots=self.plots.lines,
        )


def raising(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the strategy raises is told in the words of backtests."""
    try:
        return call(*args, **kwargs)
    except HookError as error:
        raise StrategyRaisedError(str(error)) from error
