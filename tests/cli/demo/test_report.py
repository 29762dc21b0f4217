import hashlib

import pytest

from strategy_workers.backtests.digest import executions_digest, plain

_EXECUTION = {
    "id": "ignored",
    "at": "2013-10-07T13:31:00.5Z",
    "symbol": "SPY",
    "side": "buy",
    "qty": "100.000000000000",
    "price": "167.4200",
    "fee": "0.00",
}


def test_the_digest_is_over_plain_lines_that_anyone_can_rebuild() -> None:
    line = "2013-10-07T13:31:00.500000Z|SPY|buy|100|167.42|0\n"
    assert executions_digest([_EXECUTION]) == hashlib.sha256(line.encode()).hexdigest()


def test_the_digest_does_not_depend_on_ids_or_spelling() -> None:
    same = _EXECUTION | {"id": "other", "qty": "1E+2", "at": "2013-10-07T09:31:00.500000-04:00"}
    assert executions_digest([_EXECUTION]) == executions_digest([same])


@pytest.mark.parametrize(
    "change",
    [
        {"qty": "101"},
        {"price": "167.43"},
        {"fee": "0.01"},
        {"side": "sell"},
        {"symbol": "IBM"},
        {"at": "2013-10-07T13:31:00.500001Z"},
    ],
)
def test_the_digest_changes_with_everything_that_matters(change: dict[str, str]) -> None:
    assert executions_digest([_EXECUTION]) != executions_digest([_EXECUTION | change])


def test_the_digest_depends_on_the_order_and_the_count() -> None:
    other = _EXECUTION | {"side": "sell"}
    assert executions_digest([_EXECUTION, other]) != executions_digest([other, _EXECUTION])
    assert executions_digest([]) != executions_digest([_EXECUTION])


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+2", "100"), ("100", "100"), ("0.10", "0.1"), ("-0.00", "0"), ("1e-8", "0.00000001")],
)
def test_a_number_has_one_plain_spelling(number: str, text: str) -> None:
    assert plain(number) == text
