"""Which providers of history are asked, by the settings."""

from collections.abc import Callable, Mapping
from typing import Final

from market_data_engine.live.sources import missing
from market_data_engine.providers.provider import Capability, HistoryProvider, Permit
from market_data_engine.providers.providers import Providers
from market_data_engine.settings import HistoryProviderName, MarketDataSettings
from market_data_engine.vendors.alpaca.history import AlpacaHistory
from market_data_engine.vendors.yahoo.history import YahooHistory

KNOWN: Final[Mapping[str, frozenset[Capability]]] = {
    AlpacaHistory.name: AlpacaHistory.capabilities,
    YahooHistory.name: YahooHistory.capabilities,
}


def add_providers(settings: MarketDataSettings, providers: Providers) -> dict[str, str]:
    """Those of `HISTORY_PROVIDERS`. What is wrong, by name, of each that can't be asked."""
    unavailable: dict[str, str] = {}
    for name in settings.history_names():
        made = _MAKERS[name](settings, providers.permit(name))
        if isinstance(made, str):
            unavailable[name] = made
        else:
            providers.add(made)
    return unavailable


def _alpaca(settings: MarketDataSettings, permit: Permit) -> HistoryProvider | str:
    key_id, secret = settings.alpaca_data_key_id, settings.alpaca_data_secret_key
    if key_id is None or secret is None:
        return missing(["ALPACA_DATA_KEY_ID", "ALPACA_DATA_SECRET_KEY"])
    return AlpacaHistory(
        settings.alpaca_history_url,
        settings.alpaca_history_feed,
        key_id.get_secret_value(),
        secret.get_secret_value(),
        permit=permit,
        timeout_s=settings.feed_timeout_s,
    )


def _yahoo(settings: MarketDataSettings, permit: Permit) -> HistoryProvider:
    return YahooHistory(
        settings.yahoo_history_url, permit=permit, timeout_s=settings.feed_timeout_s
    )


_MAKERS: dict[
    HistoryProviderName, Callable[[MarketDataSettings, Permit], HistoryProvider | str]
] = {"alpaca": _alpaca, "yahoo": _yahoo}
