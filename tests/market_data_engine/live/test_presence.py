"""When a feed was there. Pure, so time is a number."""

from market_data_engine.feeds.presence import Presence, Span


def test_a_feed_that_stands_covers_what_begins_from_then_on() -> None:
    presence = Presence()
    assert not presence.covers(100)
    presence.stood(100)
    assert presence.covers(100)
    assert not presence.covers(99)
    assert presence.spans(150) == [Span(100, 150)]


def test_after_a_loss_only_what_was_heard_before_is_certain() -> None:
    presence = Presence()
    presence.stood(100)
    presence.heard(130)
    presence.lost()
    assert not presence.covers(110)
    presence.stood(200)
    assert presence.spans(250) == [Span(100, 130), Span(200, 250)]
    assert presence.covers(200)
    assert not presence.covers(120)


def test_a_feed_that_told_nothing_before_it_was_lost_was_never_there() -> None:
    presence = Presence()
    presence.lost()
    presence.stood(100)
    presence.lost()
    assert presence.spans(300) == []
