"""A strategy and what it stands on inside its own process. Pure but for the code it loads."""

import traceback
from collections.abc import Sequence

from shared.models.base import encode
from shared.models.market import Candle
from strategy_workers.runtime.desk import Lots
from strategy_workers.runtime.lines import storable
from strategy_workers.runtime.market import MarketView
from strategy_workers.runtime.snapshot import check_json
from strategy_workers.sandbox import frames
from strategy_workers.sandbox.manifest import manifest_of
from strategy_workers.sandbox.recording_desk import RecordingDesk
from strategy_workers.sandbox.source import FOLDER, BadSourceError, load
from strategy_workers.sdk import Strategy, StrategyError


class Stage:
    def __init__(self) -> None:
        self._class: type[Strategy] | None = None
        self._performance: _Performance | None = None

    def answer(self, body: bytes) -> bytes:
        """A packed reply; what the strategy raises is one too."""
        try:
            packed = frames.packed(self._reply(frames.read_request(body)))
            if len(packed) > frames.MOST_BYTES:
                raise StrategyError(
                    f"what the strategy keeps has {len(packed):,} bytes; "
                    f"{frames.MOST_BYTES:,} may be"
                )
            return packed
        except BadSourceError as error:
            return frames.packed(frames.Failed(str(error)))
        except BaseException as error:  # noqa: BLE001 - all of it is reported
            # It may have tried to leave, but only the platform ends its process.
            account = storable(_account_of(error)[-frames.ACCOUNT_CHARS :])
            notes = self._performance.take_notes() if self._performance else []
            return frames.packed(frames.Failed(account, notes))

    def _reply(self, request: frames.Request) -> frames.Reply:
        if isinstance(request, frames.Load):
            self._class = load(request.files)
            return frames.Loaded(manifest_of(self._class))
        if isinstance(request, frames.Start):
            assert self._class is not None, "loaded first"
            self._performance = _Performance(self._class, request)
            return self._performance.start()
        assert self._performance is not None, "started first"
        if isinstance(request, frames.Hook):
            return self._performance.hook(request)
        return self._performance.indicators(request)


class _Performance:
    """One deployment's strategy, market and desk."""

    def __init__(self, strategy_class: type[Strategy], request: frames.Start) -> None:
        self._strategy = strategy_class(strategy_class.parse_parameters(request.parameters))
        self._market = MarketView(
            request.symbols, request.timeframe, self._strategy.more_timeframes()
        )
        lots = {symbol: Lots(*sizes) for symbol, sizes in request.lots.items()}
        self._desk = RecordingDesk(request.order_id_prefix, self._market, lots, request.margin)
        self._state_told = b""
        #: By place, then by symbol; as the platform told.
        self._forming: dict[int, dict[str, Candle | None]] = {}

    def start(self) -> frames.Started:
        strategy, market = self._strategy, self._market
        strategy.attach(self._desk)
        strategy.on_start()
        if len(market.indicators) > frames.MOST_INDICATORS:
            raise StrategyError(
                f"a strategy can declare {frames.MOST_INDICATORS} indicators, "
                f"not {len(market.indicators)}"
            )
        market.keep(strategy.warmup)
        self._state_told = _state_of(strategy)
        names = market.names_in(vars(strategy))
        for place, one in enumerate(market.forming):
            one.read_from(self._forming.setdefault(place, {}).get)
        return frames.Started(
            warmup=market.kept,
            indicators=[
                frames.Indicator(name, one.timeframe, _key_text(one.key))
                for name, one in zip(names, market.indicators, strict=True)
            ],
            forming=[one.timeframe for one in market.forming],
            actions=self._desk.take_actions(),
        )

    def hook(self, request: frames.Hook) -> frames.Done:
        strategy, desk = self._strategy, self._desk
        self._hear(request.news)
        if request.state is not None:
            strategy.state = request.state
            self._state_told = _state_of(strategy)
        desk.at(request)
        try:
            self._call(request)
        finally:
            desk.end()
        state = _state_of(strategy)
        changed = state != self._state_told
        self._state_told = state
        return frames.Done(desk.take_actions(), strategy.state if changed else None)

    def indicators(self, request: frames.LookAtIndicators) -> frames.Indicators:
        self._hear(request.news)
        return frames.Indicators([one.state() for one in self._market.indicators])

    def take_notes(self) -> list[frames.Note]:
        return [one for one in self._desk.take_actions() if isinstance(one, frames.Note)]

    def _call(self, request: frames.Hook) -> None:
        strategy = self._strategy
        match request.name:
            case "on_candle":
                strategy.on_candle(request.candles[0])
            case "on_moment":
                strategy.on_moment(request.candles)
            case "on_timer":
                strategy.on_timer(request.timer)
            case "on_order":
                assert request.event is not None
                strategy.on_order(request.event)
            case "on_stop":
                strategy.on_stop()

    def _hear(self, news: Sequence[frames.MarketNews]) -> None:
        market = self._market
        for one in news:
            match one:
                case frames.TakeCandle():
                    market.take(one.candle)
                case frames.ForgetMarket():
                    market.reset()
                case frames.TakeHistory():
                    market.take_history(one.history, one.last_prices)
                case frames.RestoreIndicator():
                    market.indicators[one.place].restore(one.state)
                case frames.TakeForming():
                    self._forming[one.place][one.symbol] = one.candle


def _account_of(error: BaseException) -> str:
    """The traceback from the author's first line on."""
    place = error.__traceback__
    while place is not None and not place.tb_frame.f_code.co_filename.startswith(FOLDER):
        place = place.tb_next
    return "".join(traceback.format_exception(type(error), error, place))


def _state_of(strategy: Strategy) -> bytes:
    check_json(strategy.state, "self.state")
    return encode(strategy.state)


def _key_text(key: object) -> str | None:
    """Of the library's indicators with plain arguments; others are like none."""
    match key:
        case (type() as kind, tuple() as arguments, feed, timeframe) if kind.__module__.startswith(
            "shared.indicators"
        ) and all(isinstance(one, int | float | str) for one in arguments):
            return f"{kind.__qualname__} {arguments!r} {getattr(feed, '__name__', '')} {timeframe}"
    return None
