"""Prints and quotes of one slice in the tape's order: entries whose times never fall."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from shared.models.market import Quotes, Trades


def interleaved(trades: Trades, quotes: Quotes | None) -> Iterator[Trades | Quotes]:
    """As few entries as that takes; at equal times quotes come before prints."""
    if quotes is None or not quotes.at_ns:
        if trades.at_ns:
            yield trades
        return
    trade, quote = 0, 0
    while trade < len(trades.at_ns) and quote < len(quotes.at_ns):
        quotes_end = bisect_right(quotes.at_ns, trades.at_ns[trade], quote)
        if quotes_end > quote:
            yield _quotes(quotes, quote, quotes_end)
            quote = quotes_end
        if quote < len(quotes.at_ns):
            trades_end = bisect_left(trades.at_ns, quotes.at_ns[quote], trade)
            yield _trades(trades, trade, trades_end)
            trade = trades_end
    if trade < len(trades.at_ns):
        yield _trades(trades, trade, len(trades.at_ns))
    if quote < len(quotes.at_ns):
        yield _quotes(quotes, quote, len(quotes.at_ns))


def _trades(whole: Trades, begin: int, end: int) -> Trades:
    return Trades(
        symbols=whole.symbols,
        symbol_index=whole.symbol_index[begin:end],
        at_ns=whole.at_ns[begin:end],
        price=whole.price[begin:end],
        size=whole.size[begin:end],
    )


def _quotes(whole: Quotes, begin: int, end: int) -> Quotes:
    return Quotes(
        symbols=whole.symbols,
        symbol_index=whole.symbol_index[begin:end],
        at_ns=whole.at_ns[begin:end],
        bid=whole.bid[begin:end],
        ask=whole.ask[begin:end],
        bid_size=whole.bid_size[begin:end],
        ask_size=whole.ask_size[begin:end],
    )
