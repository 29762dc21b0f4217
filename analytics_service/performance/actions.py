import asyncio
from uuid import UUID

from analytics_service.performance.closes import MarketHistory
from analytics_service.performance.report import Performance, end_us, performance
from analytics_service.performance.repository import Books
from shared.metrics.equity_curve import Closes
from shared.models.identifiers import Mode, Timeframe


class Analysis:
    def __init__(self, books: Books, history: MarketHistory) -> None:
        self._books = books
        self._history = history

    async def performance(
        self, account_id: UUID, mode: Mode, timeframe: Timeframe, max_points: int
    ) -> Performance | None:
        """None when there is no such account. Raises Problem when the closes can't be had."""
        records = await asyncio.to_thread(self._books.read, account_id, mode)
        if records is None:
            return None
        closes: dict[str, Closes] = {}
        if records.fills:
            start_us = min(fill.at_us for fill in records.fills)
            symbols = {fill.symbol for fill in records.fills}
            last_us = max(end_us(records), max(fill.at_us for fill in records.fills))
            pairs = set() if records.abroad is None else records.abroad.pairs
            closes = await self._history.closes(symbols | pairs, timeframe, start_us, last_us)
        if records.abroad is not None:
            traded = {fill.symbol for fill in records.fills}
            closes = records.abroad.in_base(closes, traded)
        return await asyncio.to_thread(performance, records, closes, max_points)
