"""What is known of each live feed that was asked for."""

import time
from collections.abc import Sequence

from market_data_engine.feeds.following import FeedStatus
from market_data_engine.live.schemas import FeedList, FeedView
from market_data_engine.live.sources import Sources


class FeedBoard:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._followed: dict[str, FeedStatus] = {}

    def show(self, statuses: Sequence[FeedStatus]) -> None:
        """Of the run that follows them now."""
        self._followed = {status.name: status for status in statuses}

    def forget(self) -> None:
        """Nobody here follows them any more."""
        self._followed = {}

    def statuses(self) -> list[FeedStatus]:
        """Of those that are followed now."""
        return list(self._followed.values())

    def view(self) -> FeedList:
        now_s = time.monotonic()
        items = [
            FeedView(name=one.name, symbols=one.symbols, state="unavailable", problem=one.problem)
            for one in self._sources.unavailable
        ]
        for feed, symbols in self._sources.followed:
            status = self._followed.get(feed.name)
            if status is None:
                items.append(FeedView(name=feed.name, symbols=symbols, state="idle"))
                continue
            silent_s = status.silent_s(now_s)
            items.append(
                FeedView(
                    name=status.name,
                    symbols=status.symbols,
                    state=status.state,
                    problem=status.problem,
                    losses=status.losses,
                    silent_s=None if silent_s is None else round(silent_s, 3),
                    stale=status.stale,
                )
            )
        return FeedList(items=items)
