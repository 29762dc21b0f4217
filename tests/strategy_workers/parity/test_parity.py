"""A run that is made again: equal when nothing changed, and each change found by its name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from shared.candles.calendar import SessionCalendar
from shared.candles.timeframes import MINUTE_NS
from shared.models.margin import margin_terms_document
from shared.trading.commissions import PercentCommission
from shared.trading.paper_terms import DEFAULT, PaperTerms, paper_terms_document
from shared.trading.slippage import BpsSlippage
from strategy_workers.backtests.attendance import Attendance
from strategy_workers.backtests.errors import ResultTooLargeError
from strategy_workers.backtests.outcome import no_progress
from strategy_workers.backtests.plan import Plan, Terms
from strategy_workers.backtests.run import run_backtest
from strategy_workers.library.sma_crossover import SmaCrossover
from strategy_workers.parity.attribution import Step, attributed
from strategy_workers.parity.matching import matched
from strategy_workers.parity.report import parity_report, spans_of
from strategy_workers.parity.rerun import fill_of, repeated
from strategy_workers.parity.rules import Rules
from strategy_workers.parity.run import Fill, RecordedRun, TermsFrom, VersionFrom
from strategy_workers.sdk import Candle, Strategy
from tests.strategy_workers.backtests.support import MONDAY_NS, walk, write_candles, write_prints

CODE = "the platform's"
PARAMETERS = {"fast": 3, "slow": 8}


class Contrary(SmaCrossover):
    """The next version: it enters where the other one leaves."""

    name = "sma_crossover"

    def on_candle(self, candle: Candle) -> None:
        if candle.start_ns // MINUTE_NS % 20 == 0:
            self.target_position(candle.symbol, self.lot_size(candle.symbol))
        elif candle.start_ns // MINUTE_NS % 20 == 10:
            self.close(candle.symbol)


def plan(files: tuple[Path, ...], terms: PaperTerms = DEFAULT, source: Any = "trades") -> Plan:
    return Plan(
        strategy=SmaCrossover,
        parameters=SmaCrossover.parse_parameters(PARAMETERS),
        timeframe="1m",
        source=source,
        files=files,
        calendar=SessionCalendar.continuous(),
        terms=Terms(exchange="24/7", paper=terms),
    )


@pytest.fixture
def prints(tmp_path: Path) -> Path:
    return write_prints(tmp_path / "day.csv", {"SPY": walk(7, 240)})


def recorded(made: Plan, **changes: Any) -> RecordedRun:
    """The platform's run, as a backtest makes it: `test_backtest_parity.py` shows that it does."""
    fills = [fill_of(one) for one in run_backtest(made).outcome.executions]
    assert len(fills) > 8
    run = RecordedRun(
        account_id=uuid4(),
        deployment_id=uuid4(),
        mode="paper",
        symbols=["SPY"],
        replay_id=uuid4(),
        fills=fills,
        versions=[VersionFrom(None, dict(made.parameters))],
        terms=[TermsFrom(fills[0].at, paper_terms_document(made.terms.paper))],
        files=[],
        begins_at=None,
        ends_at=None,
        data_from=None,
        code_version=CODE,
        began_at=datetime(2026, 1, 1, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, tzinfo=UTC),
        began_warm=False,
        margin=margin_terms_document(None),
        borrow_fee_bps=Decimal(0),
        notes=[],
    )
    versions = [VersionFrom(None, SmaCrossover.encode_parameters(made.parameters))]
    return msgspec.structs.replace(run, **{"versions": versions, **changes})


def report(
    run: RecordedRun,
    asked: Plan,
    was: tuple[Path, ...] | None = None,
    version: int | None = None,
    now: str = CODE,
) -> dict[str, Any]:
    code: dict[int | None, type[Strategy]] = {None: SmaCrossover, 2: Contrary}
    made = repeated(
        asked, run, was or asked.files, version, code.__getitem__, lambda _done, _total: None
    )
    return parity_report(run, made, {}, {}, now)


def test_a_run_with_nothing_changed_is_equal_to_the_last_digit(prints: Path) -> None:
    asked = plan((prints,))
    found = report(recorded(asked), asked)
    assert found["verdict"] == "equal"
    assert found["differences"] == []
    assert found["equal"] == found["run_executions"] == found["rerun_executions"]
    assert [one["put_back"] for one in found["steps"]] == [None]


@pytest.mark.parametrize(
    ("cause", "terms"),
    [
        ("fee", {"commission": PercentCommission(Decimal(7))}),
        ("latency", {"latency_ms": 9000}),
        ("fill_model", {"slippage": BpsSlippage(Decimal(9))}),
        ("fill_model", {"participation_percent": Decimal(10)}),
    ],
)
def test_each_change_of_the_terms_is_found_by_its_name(
    prints: Path, cause: str, terms: dict[str, Any]
) -> None:
    asked = plan((prints,))
    found = report(
        recorded(asked),
        replace(asked, terms=replace(asked.terms, paper=msgspec.structs.replace(DEFAULT, **terms))),
    )
    assert found["verdict"] == "explained"
    assert set(found["by_cause"]) == {cause}
    assert [one["put_back"] for one in found["steps"]] == [None, cause]
    assert [bool(one["different"]) for one in found["steps"]] == [True, False]


def test_several_changes_at_once_are_told_apart_field_by_field(prints: Path) -> None:
    asked = plan((prints,))
    both = msgspec.structs.replace(
        DEFAULT, commission=PercentCommission(Decimal(7)), latency_ms=9000
    )
    found = report(recorded(asked), replace(asked, terms=replace(asked.terms, paper=both)))
    assert set(found["by_cause"]) == {"latency", "fee"}
    first = found["differences"][0]
    assert first["kind"] == "differs"
    told = {one["field"]: one["cause"] for one in first["causes"]}
    assert told["fee"] == "fee"
    assert told["at"] == "latency"


def test_another_version_of_the_strategy_is_found(prints: Path) -> None:
    asked = plan((prints,))
    found = report(recorded(asked), asked, version=2)
    assert set(found["by_cause"]) == {"code_version"}
    assert {one["kind"] for one in found["differences"]} >= {"only_in_run", "only_in_rerun"}


def test_corrected_data_is_found(prints: Path, tmp_path: Path) -> None:
    bars = walk(7, 240)
    bars[100:104] = [(at, *(price + 3 for price in prices)) for at, *prices in bars[100:104]]
    corrected = write_prints(tmp_path / "corrected.csv", {"SPY": bars})
    run = recorded(plan((prints,)))
    found = report(run, plan((corrected,)), was=(prints,))
    assert set(found["by_cause"]) == {"data"}
    assert found["equal"] > 0
    begin = datetime.fromtimestamp(MONDAY_NS / 1e9, UTC) + timedelta(minutes=100)
    told = [one["run"] or one["rerun"] for one in found["differences"]]
    assert min(datetime.fromisoformat(one["at"]) for one in told) >= begin


def test_what_nothing_explains_is_said_to_be_unexplained(prints: Path) -> None:
    asked = plan((prints,))
    run = recorded(asked)
    strange = msgspec.structs.replace(run.fills[2], price=run.fills[2].price + 1)
    run = msgspec.structs.replace(run, fills=[*run.fills[:2], strange, *run.fills[3:-1]])
    found = report(run, asked)
    assert (found["verdict"], found["by_cause"]) == ("unexplained", {"unexplained": 2})
    assert [one["kind"] for one in found["differences"]] == ["differs", "only_in_rerun"]
    # That other code decided is the only thing that is known to be otherwise.
    assert report(run, asked, now="another")["by_cause"] == {"code_version": 2}


def test_a_deployment_that_came_later_changed_and_left_is_followed(prints: Path) -> None:
    begin, end = (
        datetime.fromtimestamp(MONDAY_NS / 1e9, UTC) + timedelta(minutes=n) for n in (40, 200)
    )
    half = begin + timedelta(minutes=80)
    other = {**PARAMETERS, "slow": 20}
    presence = {
        "begins_at": begin,
        "ends_at": end,
        "versions": [VersionFrom(None, PARAMETERS), VersionFrom(half, other)],
    }
    asked = plan((prints,))
    rough = recorded(asked, **presence)
    made = repeated(asked, rough, asked.files, None, lambda _: SmaCrossover, lambda *_: None)
    fills = list(made.steps[0].fills)
    assert begin < fills[0].at
    assert fills[-1].at <= end + timedelta(minutes=1)
    plain = recorded(asked).fills
    assert [one for one in fills if one.at < half] != [one for one in plain if one.at < half]
    run = msgspec.structs.replace(rough, fills=fills)
    assert report(run, asked)["verdict"] == "equal"
    without = msgspec.structs.replace(run, versions=[VersionFrom(None, PARAMETERS)])
    assert report(without, asked)["verdict"] == "unexplained"


def test_terms_that_changed_in_the_run_are_those_of_the_orders_after(prints: Path) -> None:
    half = datetime.fromtimestamp(MONDAY_NS / 1e9, UTC) + timedelta(minutes=120)
    dear = msgspec.structs.replace(DEFAULT, commission=PercentCommission(Decimal(50)))
    asked = plan((prints,))
    terms = ((int(half.timestamp()) * 10**9, dear),)
    made = run_backtest(replace(asked, attendance=Attendance(terms=terms)))
    fills = [fill_of(one) for one in made.outcome.executions]
    first = TermsFrom(fills[0].at, paper_terms_document(DEFAULT))
    run = recorded(asked, fills=fills, terms=[first, TermsFrom(half, paper_terms_document(dear))])
    found = report(run, asked)
    assert found["by_cause"] == {"fee": sum(one.at >= half for one in fills)}


def test_prints_that_only_candles_are_kept_of_differ_by_their_data(
    prints: Path, tmp_path: Path
) -> None:
    run = recorded(plan((prints,)))
    candles = write_candles(tmp_path / "candles.csv", walk(7, 240))
    named = tmp_path / "SPY.csv"
    candles.rename(named)
    asked = plan((named,), source="candles")
    moved = [msgspec.structs.replace(one, at=one.at + timedelta(seconds=2)) for one in run.fills]
    run = msgspec.structs.replace(run, fills=moved)
    made = repeated(asked, run, asked.files, None, lambda _: SmaCrossover, lambda *_: None)
    with_symbols = tmp_path / "job.csv"
    header, *rows = named.read_text().splitlines()
    with_symbols.write_text("\n".join([f"symbol,{header}", *(f"SPY,{row}" for row in rows)]))
    found = parity_report(run, made, spans_of(with_symbols, "1m"), {}, CODE)
    assert (found["verdict"], set(found["by_cause"])) == ("explained", {"data"})


# --- matching and rules ------------------------------------------------------------------------

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def fill(second: float, price: int = 10, qty: int = 1, side: Any = "buy") -> Fill:
    at = NOON + timedelta(seconds=second)
    return Fill(at, "SPY", side, Decimal(qty), Decimal(price), Decimal(0))


@pytest.mark.parametrize(
    ("run", "again", "partners", "extra"),
    [
        ([], [], [], []),
        ([fill(0)], [fill(0)], [0], []),
        ([fill(0), fill(0)], [fill(0)], [0, None], []),
        ([fill(0)], [fill(0, side="sell")], [None], [0]),
        ([fill(0)], [fill(5, 11)], [0], []),
        ([fill(0)], [fill(61)], [None], [0]),
        ([fill(0), fill(30)], [fill(29, 11)], [None, 0], []),
        ([fill(30)], [fill(0, 11), fill(29, 11)], [1], [0]),
        ([fill(0), fill(30)], [fill(1, 9), fill(31, 9)], [0, 1], []),
    ],
)
def test_equal_executions_belong_together_then_the_nearest(
    run: list[Fill], again: list[Fill], partners: list[int | None], extra: list[int]
) -> None:
    assert matched(run, again, timedelta(seconds=60)) == (partners, extra)


@pytest.mark.parametrize(
    ("rules", "field", "cause"),
    [
        ({}, "price", None),
        ({"corrected_from": {"SPY": NOON}}, "price", "data"),
        ({"corrected_from": {"SPY": NOON + timedelta(hours=1)}}, "price", None),
        ({"jitter": timedelta(seconds=9)}, "price", "latency"),
        ({"jitter": timedelta(seconds=1)}, "price", None),
        ({"jitter": timedelta(seconds=9)}, "qty", None),
        ({"is_live": True}, "price", "fill_model"),
        ({"is_live": True}, None, None),
        ({"code_changed": True}, "qty", "code_version"),
    ],
)
def test_what_is_left_is_explained_by_what_is_known_of_the_run(
    rules: dict[str, Any], field: Any, cause: str | None
) -> None:
    known: dict[str, Any] = {
        "is_live": False, "candles": {}, "corrected_from": {}, "jitter": timedelta(),
        "code_changed": False, **rules,
    }  # fmt: skip
    assert Rules(**known)(fill(0), fill(5, 11), field) == cause


def test_a_brokers_fee_for_the_same_amounts_is_a_fee() -> None:
    rules = Rules(True, {}, {}, timedelta(), code_changed=False)
    assert rules(fill(0), fill(0), "fee") == "fee"
    assert rules(fill(0), fill(0, 11), "fee") == "fill_model"


def test_many_executions_that_the_run_has_not_are_told_apart_in_time() -> None:
    """With every one compared to every other it would take minutes."""
    others = [fill(number) for number in range(20_000)]
    found = attributed([], [Step(None, others)], timedelta(seconds=60), lambda *_: None)
    assert (found.equal, found.by_cause()) == (0, {"unexplained": len(others)})
    assert [one.rerun for one in found.differences] == others


def test_a_repetition_with_more_executions_than_are_kept_is_refused(prints: Path) -> None:
    asked = plan((prints,))
    run = recorded(asked)
    terms = (asked.files, None, lambda _: SmaCrossover, no_progress)
    kept = len(run.fills)
    assert len(repeated(asked, run, *terms, most_executions=kept).steps) == 1
    with pytest.raises(ResultTooLargeError, match=f"{kept} executions; {kept - 1} are kept"):
        repeated(asked, run, *terms, most_executions=kept - 1)
