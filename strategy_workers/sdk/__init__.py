"""Everything that a strategy author needs, in one import."""

from shared.indicators import EMA, RSI, SMA
from shared.models.market import Candle
from strategy_workers.sdk.indicators import IndicatorSet, crossed_above, crossed_below
from strategy_workers.sdk.orders import OrderEvent
from strategy_workers.sdk.parameters import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    InvalidParametersError,
    ParameterError,
)
from strategy_workers.sdk.strategy import Strategy, StrategyError

__all__ = [
    "EMA",
    "RSI",
    "SMA",
    "BooleanParameter",
    "Candle",
    "CategoricalParameter",
    "DecimalParameter",
    "IndicatorSet",
    "IntParameter",
    "InvalidParametersError",
    "OrderEvent",
    "ParameterError",
    "Strategy",
    "StrategyError",
    "crossed_above",
    "crossed_below",
]
