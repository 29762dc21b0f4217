"""What a strategy's owner can read of it: pure."""

from datetime import UTC, datetime
from decimal import Decimal

import structlog

from shared.models.market import TimeMark
from strategy_workers.deployments.variables import Variables, variables_of
from strategy_workers.runtime.holdings import Holding
from strategy_workers.runtime.lines import Line, Lines, StrategyLog
from strategy_workers.runtime.portfolio import Portfolio
from strategy_workers.runtime.snapshot import Snapshot, encode_snapshot
from strategy_workers.runtime.timers import Timer
from strategy_workers.runtime.working_order import WorkingOrder

AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def test_variables_tell_what_the_snapshot_holds() -> None:
    mark = TimeMark(
        number=1, at_ns=int(AT.timestamp()) * 10**9, phase="strategy", paced=True, run_id="r"
    )
    told = variables_of(
        encode_snapshot(
            Snapshot(
                cursor="5-0",
                mark=mark,
                portfolio=Portfolio(
                    cash=Decimal("100.50"),
                    own={
                        "SPY": Holding(Decimal(2), Decimal("99.5")),
                        "QQQ": Holding(Decimal(0), Decimal(1)),
                    },
                    working={"a": WorkingOrder("SPY", "sell", Decimal(2), Decimal(120))},
                ),
                state={"turn": [1, {"up": True}]},
                timers={"noon": Timer(mark.at_ns), "each": Timer(0, 60 * 10**9)},
            )
        )
    )
    assert (told.at, told.tape_id, told.cash) == (AT, "5-0", "100.5")
    assert told.state == {"turn": [1, {"up": True}]}
    assert [(own.symbol, own.qty, own.avg_price) for own in told.positions] == [
        ("SPY", "2", "99.5")
    ]
    (order,) = told.working_orders
    assert (order.open_qty, order.limit_price) == ("2", "120")
    assert [(timer.name, timer.due_at, timer.every_s) for timer in told.timers] == [
        ("each", None, 60.0),
        ("noon", AT, None),
    ]


def test_before_the_first_snapshot_there_are_no_variables() -> None:
    assert variables_of(None) == Variables()


def test_a_strategy_that_logs_without_end_fills_a_bounded_number_of_lines() -> None:
    lines = Lines()
    log = StrategyLog(
        structlog.get_logger(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)]),
        lambda level, message, fields: lines.add(Line(level, message, fields, AT)),
    )
    for number in range(500):
        log.debug("x" * 10_000, number=number, text="y" * 10_000)
    assert len(lines.waiting) == 201
    assert len(lines.waiting[0].message) == 8000
    assert len(lines.waiting[0].fields["text"]) == 500
    assert lines.waiting[-1].message == "lines_left_out"
    assert lines.waiting[-1].fields == {"lines": "300"}
    lines.stored()
    assert lines.waiting == []
