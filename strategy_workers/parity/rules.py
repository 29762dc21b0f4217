"""What explains a difference that is there with everything put back as it was. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from strategy_workers.parity.attribution import Cause
from strategy_workers.parity.matching import Field
from strategy_workers.parity.run import Fill

_HUNDRED_PERCENT_BPS = 10_000


@dataclass(frozen=True)
class Span:
    """A candle of the store: from when to when, and between which prices."""

    start: datetime
    end: datetime
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Rules:
    """The first that holds counts."""

    is_live: bool
    #: By symbol, where the run was made again from candles, which don't tell what came when.
    candles: Mapping[str, list[Span]]
    #: When the first candle of each symbol begins that was corrected after the run.
    corrected_from: Mapping[str, datetime]
    #: By which orders may have been later than others.
    jitter: timedelta
    #: The platform's code isn't the one that decided.
    code_changed: bool
    #: A tick and the slippage, by which a fill may be outside of its candle.
    leeway_bps: Decimal = Decimal(100)

    def __call__(self, run: Fill | None, rerun: Fill | None, field: Field | None) -> Cause | None:
        known = run or rerun
        assert known is not None, "one of them is there"
        if any(start <= known.at for start in self.corrected_from.values()):
            return "data"
        if run is not None and rerun is not None:
            if self._within_candle(run, rerun, field):
                return "data"
            if field in ("at", "price") and timedelta() < abs(run.at - rerun.at) <= self.jitter:
                return "latency"
        if self.is_live and field is not None:
            # A broker's market isn't a model of one.
            return "fee" if field == "fee" and _same_amounts(run, rerun) else "fill_model"
        return "code_version" if self.code_changed else None

    def _within_candle(self, run: Fill, rerun: Fill, field: Field | None) -> bool:
        """The same order at another price and moment of the same candle, or the fee of that."""
        if field == "qty" or run.qty != rerun.qty:
            return False
        for span in self.candles.get(run.symbol, ()):
            if span.start <= run.at <= span.end:
                leeway = span.high * self.leeway_bps / _HUNDRED_PERCENT_BPS
                fits = span.low - leeway <= run.price <= span.high + leeway
                return fits and span.start <= rerun.at <= span.end
        return False


def _same_amounts(run: Fill | None, rerun: Fill | None) -> bool:
    if run is None or rerun is None:
        return False
    return (run.qty, run.price) == (rerun.qty, rerun.price)
