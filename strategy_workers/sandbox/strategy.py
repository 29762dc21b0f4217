"""What stands in the runtime for a strategy that runs in a process of its own.

To the deployment it is a strategy like any other: its hooks ask the process, and do on the
deployment's own desk what the process says that it wants. Desk, positions and order ids are ours;
what the process believes of them doesn't count.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from shared.models.identifiers import Timeframe
from shared.models.market import Candle
from strategy_workers.runtime.desk import Desk
from strategy_workers.runtime.lines import fitting
from strategy_workers.sandbox import frames
from strategy_workers.sandbox.archive import digest_of
from strategy_workers.sandbox.manifest import parameter_of
from strategy_workers.sandbox.process import Limits, ReportedError, StrategyProcess
from strategy_workers.sdk import FormingCandles, IndicatorSet, OrderEvent, Strategy
from strategy_workers.sdk.desk import Desk as AnyDesk
from strategy_workers.sdk.errors import ToldError
from strategy_workers.sdk.indicators import whole
from strategy_workers.sdk.orders import Stop, revision, ticket


class _Unfed:
    """The indicator itself is in the process."""

    def update(self, _given: Any, /) -> None:
        return None

    def state(self) -> None:
        return None

    def restore(self, _state: Any, /) -> None:
        return None


class _CandlesToProcess(IndicatorSet[None]):
    """Stands among a market's indicators, before all others, to pass on what becomes of it."""

    def __init__(self, strategy: "SandboxedStrategy", desk: Desk, timeframe: Timeframe) -> None:
        self._news = strategy.news
        self._market = desk.market
        super().__init__(_Unfed, desk.symbols, timeframe, whole)

    def update(self, candle: Candle) -> None:
        self._news.append(frames.TakeCandle(candle))

    def reset(self) -> None:
        super().reset()
        self._news.append(frames.ForgetMarket())

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        del state  # the first of them tells the history of all series
        if not any(isinstance(one, frames.TakeHistory) for one in self._news):
            market = self._market
            self._news.append(frames.TakeHistory(market.history_columns(), market.last_prices))


class _IndicatorInProcess(IndicatorSet[None]):
    """Stands for the indicator with the same place there."""

    def __init__(
        self, strategy: "SandboxedStrategy", desk: Desk, place: int, told: frames.Indicator
    ) -> None:
        self._strategy = strategy
        self._place = place
        super().__init__(_Unfed, desk.symbols, told.timeframe, whole, told.key)

    def update(self, candle: Candle) -> None:
        del candle

    def state(self) -> dict[str, Any]:
        return self._strategy.indicator_state(self._place)

    def restore(self, state: dict[str, Any]) -> None:
        self._strategy.news.append(frames.RestoreIndicator(self._place, state))


class SandboxedStrategy(Strategy):
    """Made by `sandboxed`; one process for each instance, from `on_start` to `detach`."""

    has_own_process = True
    manifest: ClassVar[frames.Manifest]
    files: ClassVar[Mapping[str, bytes]]
    limits: ClassVar[Limits]

    def __init__(self, parameters: Mapping[str, object]) -> None:
        super().__init__(parameters)
        #: Not yet told to the process.
        self.news: list[frames.MarketNews] = []
        self._process: StrategyProcess | None = None
        self._state_there: dict[str, Any] = self.state
        self._indicator_states: list[dict[str, Any]] = []
        self._forming: list[FormingCandles] = []
        self._forming_told: dict[tuple[int, str], Candle | None] = {}

    @classmethod
    def source_digest(cls) -> str:
        """SHA-256 of its files."""
        return digest_of(cls.files)

    def attach(self, desk: AnyDesk) -> None:
        super().attach(desk)
        self._desk = cast("Desk", desk)

    def detach(self) -> None:
        if self._process is not None:
            self._process.end()

    # --- hooks ---------------------------------------------------------------------------------

    def on_start(self) -> None:
        desk = self._desk
        for timeframe in desk.market.timeframes:
            desk.market.add(_CandlesToProcess(self, desk, timeframe))
        self._process = StrategyProcess(self.limits)
        if self._process.load(dict(self.files)) != self.manifest:
            raise ToldError("The strategy is not what it was when it was checked.")
        start = frames.Start(
            parameters=self.encode_parameters(self.parameters),
            symbols=list(desk.symbols),
            timeframe=desk.timeframe,
            lots={one: (desk.lot_size(one), desk.tick_size(one)) for one in desk.symbols},
            order_id_prefix=desk.prefix,
            margin=desk.margin,
        )
        started = self._ask(start, frames.Started, "on_start")
        self._check_started(started)
        self.warmup = started.warmup
        for place, told in enumerate(started.indicators):
            indicator = _IndicatorInProcess(self, desk, place, told)
            desk.market.add(indicator)
            if told.name.isidentifier() and not hasattr(self, told.name):
                vars(self)[told.name] = indicator  # under which the owner knows it
        self._forming = [desk.forming(timeframe) for timeframe in started.forming]
        self._carry_out(started.actions)

    def _check_started(self, started: frames.Started) -> None:
        if len(set(started.forming)) < len(started.forming):
            self.detach()
            raise ToldError("The strategy's process named a forming candle twice.")
        for told in started.indicators:
            if told.timeframe not in self._desk.market.timeframes:
                self.detach()
                raise ToldError(f"The strategy's process has indicators of {told.timeframe}.")

    def on_candle(self, candle: Candle) -> None:
        self._hook("on_candle", candles=[candle])

    def on_timer(self, name: str) -> None:
        self._hook("on_timer", timer=name)

    def on_stop(self) -> None:
        self._hook("on_stop")

    # --- the process ---------------------------------------------------------------------------

    def indicator_state(self, place: int) -> dict[str, Any]:
        """As of all candles that were taken."""
        if self.news or not self._indicator_states:
            look = frames.LookAtIndicators(self._take_news())
            self._indicator_states = self._ask(look, frames.Indicators, "a snapshot").states
        if place >= len(self._indicator_states):
            raise ToldError("The strategy's process forgot an indicator.")
        return self._indicator_states[place]

    def _hook(self, name: frames.HookName, **what: Any) -> None:
        desk = self._desk
        assert desk.label is not None, "hooks are called in moments"
        told = self.state is self._state_there
        self._tell_forming()
        hook = frames.Hook(
            name=name,
            news=self._take_news(),
            label=desk.label,
            number=desk.number,
            at_ns=desk.at_ns,
            portfolio=desk.portfolio,
            state=None if told else self.state,
            **what,
        )
        self._state_there = self.state
        self._indicator_states = []
        done = self._ask(hook, frames.Done, name)
        self._carry_out(done.actions)
        if done.state is not None:
            self.state = self._state_there = done.state

    def _tell_forming(self) -> None:
        """What has changed of the candles under way, which are made here."""
        for place, forming in enumerate(self._forming):
            for symbol in self._desk.symbols:
                candle = forming[symbol]
                if candle != self._forming_told.get((place, symbol)):
                    self._forming_told[place, symbol] = candle
                    self.news.append(frames.TakeForming(place, symbol, candle))

    def _take_news(self) -> list[frames.MarketNews]:
        news = list(self.news)
        self.news.clear()
        return news

    def _ask(self, request: frames.Request, kind: type[frames.R], what: str) -> frames.R:
        if self._process is None:
            raise ToldError("The strategy hasn't been started.")
        try:
            return self._process.ask(request, kind, what)
        except ReportedError as error:
            self._carry_out(error.notes)
            raise

    def _carry_out(self, actions: Sequence[frames.Action]) -> None:
        notes = sum(isinstance(one, frames.Note) for one in actions)
        plots = sum(isinstance(one, frames.Plot) for one in actions)
        others = len(actions) - notes - plots
        most = (frames.MOST_NOTES, frames.MOST_PLOTS, frames.MOST_ORDERS)
        if any(count > limit for count, limit in zip((notes, plots, others), most, strict=True)):
            self.detach()
            raise ToldError(f"The strategy's process asked for {len(actions):,} things at once.")
        for action in actions:
            self._do(action)

    def _do(self, action: frames.Action) -> None:
        desk = self._desk
        match action:
            case frames.SendOrder():
                self._check_name(action.client_order_id, desk.order(_checked(action)))
            case frames.ReplaceOrder(change=change):
                checked = revision(
                    qty=change.qty, limit_price=change.limit_price, stop_price=change.stop_price,
                    trail_price=change.trail_price, trail_percent=change.trail_percent,
                    reason=change.reason,
                )  # fmt: skip
                self._check_name(action.replaced_by, desk.replace(action.client_order_id, checked))
            case frames.CancelOrders():
                desk.cancel(action.symbol, action.side, action.client_order_id)
            case frames.CallAt():
                desk.call_at(action.name, action.at)
            case frames.CallEvery():
                desk.call_every(action.name, action.every)
            case frames.CallOff():
                desk.call_off(action.name)
            case frames.Note():
                desk.note(action.level, *fitting(action.message, action.fields))
            case frames.Plot():
                desk.plot(action.name, action.value, action.symbol)

    def _check_name(self, told: str | None, made: str | None) -> None:
        if told != made:
            self.detach()
            raise ToldError(f"The strategy's process calls an order {told} that is {made}.")


def _checked(action: frames.SendOrder) -> Any:
    asked = action.ticket
    target, guard = asked.take_profit, asked.stop_loss
    return ticket(
        asked.symbol, asked.side, asked.qty,
        limit_price=asked.limit_price, stop_price=asked.stop_price,
        trail_price=asked.trail_price, trail_percent=asked.trail_percent,
        time_in_force=asked.time_in_force, expires_at=asked.expires_at,
        take_profit=None if target is None else target.limit_price,
        stop_loss=None if guard is None else Stop(
            guard.stop_price, guard.limit_price, guard.trail_price, guard.trail_percent
        ),
        oco=asked.order_class == "oco", extended_hours=asked.extended_hours, reason=asked.reason,
    )  # fmt: skip


def _on_moment(self: SandboxedStrategy, candles: Sequence[Candle]) -> None:
    self._hook("on_moment", candles=list(candles))


def _on_order(self: SandboxedStrategy, event: OrderEvent) -> None:
    self._hook("on_order", event=event)


def sandboxed(
    manifest: frames.Manifest, files: Mapping[str, bytes], limits: Limits
) -> type[SandboxedStrategy]:
    """A class that can be deployed. Raises ValueError for a manifest that contradicts itself."""
    body: dict[str, Any] = {
        "name": manifest.name,
        "title": manifest.title,
        "description": manifest.description,
        "timeframes": tuple(manifest.timeframes),
        "manifest": manifest,
        "files": dict(files),
        "limits": limits,
    }
    # The runtime asks only those for these hooks that have them.
    if "on_moment" in manifest.hooks:
        body["on_moment"] = _on_moment
    if "on_order" in manifest.hooks:
        body["on_order"] = _on_order
    for shape in manifest.parameters:
        if hasattr(SandboxedStrategy, shape.name) or not shape.name.isidentifier():
            raise ValueError(f"a parameter can't be named {shape.name}")
        body[shape.name] = parameter_of(shape)
    return type("Uploaded", (SandboxedStrategy,), body)
