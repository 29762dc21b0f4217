"""Which live feeds are followed for which symbols, by the settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from market_data_engine.feeds.live import LiveFeed
from market_data_engine.settings import LiveFeedName, MarketDataSettings
from market_data_engine.vendors.alpaca.client import AlpacaFeed
from market_data_engine.vendors.ccxt.client import CcxtFeed
from market_data_engine.vendors.finnhub.client import FinnhubFeed


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A feed that is asked for and can't be followed."""

    name: str
    symbols: list[str]
    problem: str


@dataclass(frozen=True, slots=True)
class Sources:
    followed: list[tuple[LiveFeed, list[str]]]
    unavailable: list[Unavailable]


def live_sources(settings: MarketDataSettings) -> Sources:
    """Without its credentials a feed is unavailable, and says what is missing."""
    sources = Sources([], [])
    for name, symbols in settings.live_symbols().items():
        made = _MAKERS[name](settings)
        if isinstance(made, str):
            sources.unavailable.append(Unavailable(name, symbols, made))
        else:
            sources.followed.append((made, symbols))
    return sources


def missing(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} must be set."


def _alpaca(settings: MarketDataSettings) -> LiveFeed | str:
    key_id, secret = settings.alpaca_data_key_id, settings.alpaca_data_secret_key
    if key_id is None or secret is None:
        return missing(["ALPACA_DATA_KEY_ID", "ALPACA_DATA_SECRET_KEY"])
    return AlpacaFeed(
        settings.alpaca_stream_url,
        key_id.get_secret_value(),
        secret.get_secret_value(),
        timeout_s=settings.feed_timeout_s,
    )


def _ccxt(settings: MarketDataSettings) -> LiveFeed | str:
    if settings.ccxt_exchange is None:
        return missing(["CCXT_EXCHANGE"])
    return CcxtFeed(
        settings.ccxt_exchange,
        settings.ccxt_url,
        poll_s=settings.ccxt_poll_s,
        timeout_s=settings.feed_timeout_s,
    )


def _finnhub(settings: MarketDataSettings) -> LiveFeed | str:
    if settings.finnhub_token is None:
        return missing(["FINNHUB_TOKEN"])
    return FinnhubFeed(
        settings.finnhub_stream_url,
        settings.finnhub_token.get_secret_value(),
        timeout_s=settings.feed_timeout_s,
    )


_MAKERS: dict[LiveFeedName, Callable[[MarketDataSettings], LiveFeed | str]] = {
    "alpaca": _alpaca,
    "ccxt": _ccxt,
    "finnhub": _finnhub,
}
