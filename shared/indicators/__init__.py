"""Incremental indicators, equal to TA-Lib's. Pure."""

from shared.indicators.catalogue import CATALOGUE as CATALOGUE
from shared.indicators.catalogue import create as create
from shared.indicators.catalogue import find as find
from shared.indicators.catalogue import warm_up as warm_up
from shared.indicators.ema import EMA as EMA
from shared.indicators.indicator import Indicator as Indicator
from shared.indicators.indicator import State as State
from shared.indicators.rsi import RSI as RSI
from shared.indicators.sma import SMA as SMA
