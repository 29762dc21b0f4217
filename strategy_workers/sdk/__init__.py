"""Everything that a strategy author needs, in one import."""

from shared.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    MACD,
    MFI,
    OBV,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    BollingerBands,
    Donchian,
    Highest,
    Ichimoku,
    Keltner,
    Lowest,
    StandardDeviation,
    Stochastic,
    Supertrend,
)
from shared.models.identifiers import TIMEFRAMES, Timeframe
from shared.models.market import Candle
from strategy_workers.sdk.errors import StrategyError
from strategy_workers.sdk.forming import FormingCandles
from strategy_workers.sdk.indicators import IndicatorSet, crossed_above, crossed_below
from strategy_workers.sdk.orders import OrderEvent, Stop
from strategy_workers.sdk.parameters import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    InvalidParametersError,
    ParameterError,
    TimeframeParameter,
)
from strategy_workers.sdk.strategy import Strategy

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "EMA",
    "MACD",
    "MFI",
    "OBV",
    "ROC",
    "RSI",
    "SMA",
    "TIMEFRAMES",
    "VWAP",
    "WMA",
    "BollingerBands",
    "BooleanParameter",
    "Candle",
    "CategoricalParameter",
    "DecimalParameter",
    "Donchian",
    "FormingCandles",
    "Highest",
    "Ichimoku",
    "IndicatorSet",
    "IntParameter",
    "InvalidParametersError",
    "Keltner",
    "Lowest",
    "OrderEvent",
    "ParameterError",
    "StandardDeviation",
    "Stochastic",
    "Stop",
    "Strategy",
    "StrategyError",
    "Supertrend",
    "Timeframe",
    "TimeframeParameter",
    "crossed_above",
    "crossed_below",
]
