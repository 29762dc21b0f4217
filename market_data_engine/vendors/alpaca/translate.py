"""From Alpaca's words to ours. Pure."""

from collections.abc import Iterable

from market_data_engine.feeds import events
from market_data_engine.feeds.live import (
    FeedError,
    FeedLostError,
    FeedRefusedError,
    FeedThrottledError,
)
from market_data_engine.vendors.alpaca import messages
from shared.market_files.lines import parse_time

_CONNECTION_LIMIT_PAUSE_S = 15.0
#: What a person has to put right: credentials, entitlement, number of symbols.
_REFUSALS = frozenset({401, 402, 405, 408, 409, 410})


def failure(error: messages.Error) -> FeedError:
    text = f"Alpaca says {error.code}: {error.msg}."
    if error.code in _REFUSALS:
        return FeedRefusedError(text)
    if error.code == 406:  # too many connections; an old one of ours may still be open
        return FeedThrottledError(text, _CONNECTION_LIMIT_PAUSE_S)
    return FeedLostError(text)


def told(heard: Iterable[messages.Message]) -> tuple[list[events.FeedEvent], int]:
    """Events, and how many messages make no sense. Raises the FeedError that a message means."""
    understood: list[events.FeedEvent] = []
    bad = 0
    for message in heard:
        if isinstance(message, messages.Error):
            raise failure(message)
        try:
            event = _event(message)
        except ValueError:  # a time that is none
            bad += 1
            continue
        if event is not None:
            understood.append(event)
    return understood, bad


def _event(message: messages.Message) -> events.FeedEvent | None:
    match message:
        case messages.Trade(S=symbol, t=at, p=price, s=size, i=number, x=exchange):
            name = None if number is None else f"{exchange}{number}"
            return events.Print(symbol, parse_time(at), price, size, name)
        case messages.Quote(S=symbol, t=at, bp=bid, ap=ask, bs=bid_size, ask_size=ask_size):
            return events.Quote(symbol, parse_time(at), bid, ask, bid_size, ask_size)
        case messages.CancelError(S=symbol, t=at, i=number, x=exchange):
            return events.Cancel(symbol, parse_time(at), f"{exchange}{number}")
        case messages.Correction(S=symbol, t=at, x=exchange) as it:
            at_ns = parse_time(at)
            now = events.Print(symbol, at_ns, it.cp, it.cs, f"{exchange}{it.ci}")
            return events.Correction(symbol, at_ns, f"{exchange}{it.oi}", now)
        case _:
            return None
