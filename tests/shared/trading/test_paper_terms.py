"""What each model of commission and slippage costs, and the documents that choose them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.trading.amounts import ZERO, exactly
from shared.trading.commissions import Part, Turnover, expected_fee
from shared.trading.paper_terms import (
    DEFAULT,
    BadPaperTermsError,
    PaperTerms,
    paper_terms_document,
    parse_paper_terms,
)

D = Decimal
TIERS = [{"from_value": "0", "bps": "10"}, {"from_value": "1000", "bps": "5"}]


def commission(**model: Any) -> PaperTerms:
    return parse_paper_terms({"commission": model})


def charged(terms: PaperTerms, *parts: tuple[str, str]) -> list[Decimal]:
    """What each execution of one order adds, by quantity and price."""
    added, qty_before, value_before = [], ZERO, ZERO
    for qty, price in parts:
        value = D(qty) * D(price)
        added.append(terms.commission.added(Part(D(qty), value, qty_before, value_before)))
        qty_before, value_before = qty_before + D(qty), value_before + value
    return added


@pytest.mark.parametrize(
    ("model", "parts", "added"),
    [
        ({"model": "none"}, [("10", "100")], ["0"]),
        ({"model": "percent", "bps": "2.5"}, [("10", "100")], ["0.25"]),
        ({"model": "per_order", "amount": "1"}, [("1", "100"), ("9", "100")], ["1", "0"]),
        ({"model": "per_share", "amount": "0.005"}, [("100", "10")], ["0.5"]),
        # The minimum is paid with the first part, and counts for all of them.
        (
            {"model": "per_share", "amount": "0.005", "minimum": "1"},
            [("100", "10"), ("100", "10"), ("100", "10")],
            ["1", "0", "0.5"],
        ),
        # The maximum counts more than the minimum.
        (
            {"model": "per_share", "amount": "0.005", "minimum": "1", "maximum_percent": "1"},
            [("1", "10"), ("1000", "10")],
            ["0.1", "4.905"],
        ),
        ({"model": "tiered", "per": "order", "tiers": TIERS}, [("9", "100")], ["0.9"]),
        (
            {"model": "tiered", "per": "order", "tiers": TIERS},
            [("9", "100"), ("2", "100"), ("10", "100")],
            ["0.9", "0.15", "0.5"],
        ),
        ({"model": "maker_taker", "maker_bps": "1", "taker_bps": "5"}, [("10", "100")], ["0.5"]),
    ],
)
def test_each_part_of_an_order_adds_what_the_model_says(
    model: dict[str, Any], parts: list[tuple[str, str]], added: list[str]
) -> None:
    assert charged(commission(**model), *parts) == [D(each) for each in added]


def test_a_maker_pays_less_than_a_taker_and_the_reserve_is_for_the_dearer() -> None:
    model = commission(model="maker_taker", maker_bps="1", taker_bps="5").commission
    assert model.added(Part(D(1), D(1000), maker=True)) == D("0.1")
    assert expected_fee(model, D(1), D(1000), ZERO) == D("0.5")


def test_a_month_of_trading_lowers_the_rate_and_the_next_month_begins_anew() -> None:
    model = commission(model="tiered", per="month", tiers=TIERS).commission
    turnover, january = Turnover(), datetime(2024, 1, 31, 23, 59, tzinfo=UTC)
    turnover.add(january, D(900))
    part = Part(D(2), D(200), month_value=turnover.at(january))
    assert model.added(part) == D("0.15")
    turnover.add(january, D(200))
    assert turnover.at(january) == 1100
    assert turnover.at(datetime(2024, 2, 1, tzinfo=UTC)) == 0


@pytest.mark.parametrize(
    ("model", "qty", "size", "buy", "sell"),
    [
        ({"model": "none"}, "10", "10", "100", "100"),
        ({"model": "bps", "bps": "10"}, "10", "10", "100.1", "99.9"),
        ({"model": "ticks", "ticks": 3}, "10", "10", "100.03", "99.97"),
        ({"model": "square_root", "bps": "10"}, "10", "10", "100.1", "99.9"),
        ({"model": "square_root", "bps": "10"}, "40", "10", "100.2", "99.8"),
        ({"model": "square_root", "bps": "10"}, "10", "1000", "100.01", "99.99"),
        ({"model": "square_root", "bps": "10"}, "10", None, "100.1", "99.9"),
        ({"model": "square_root", "bps": "10"}, "10", "0", "100.1", "99.9"),
    ],
)
def test_slippage_is_against_the_trader(
    model: dict[str, Any], qty: str, size: str | None, buy: str, sell: str
) -> None:
    terms = parse_paper_terms({"slippage": model})
    known = None if size is None else D(size)
    tick, price = D("0.01"), D(100)
    slipped = exactly(terms.slipped)
    assert slipped(price, "buy", tick, D(qty), known) == D(buy)
    assert slipped(price, "sell", tick, D(qty), known) == D(sell)


def test_a_share_of_a_print_is_whole_lots() -> None:
    terms = parse_paper_terms({"participation_percent": "10"})
    assert terms.fillable(D(99), D(1)) == 9
    assert terms.fillable(D(99), D("0.5")) == D("9.5")
    assert terms.fillable(D(9), D(1)) == 0
    assert terms.fillable(ZERO, D(1)) == 0
    assert terms.fillable(None, D(1)) is None
    assert DEFAULT.fillable(D(9), D(1)) is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"unknown": 1},
        {"commission": {"model": "free"}},
        {"commission": {"model": "percent"}},
        {"commission": {"model": "percent", "bps": "-1"}},
        {"commission": {"model": "percent", "bps": "10001"}},
        {"commission": {"model": "percent", "bps": "NaN"}},
        {"commission": {"model": "percent", "bps": "1e999999"}},
        {"commission": {"model": "percent", "bps": "1e-13"}},
        {"commission": {"model": "percent", "bps": True}},
        {"commission": {"model": "percent", "bps": "1", "minimum": "1"}},
        {"commission": {"model": "per_share", "amount": "1", "maximum_percent": "101"}},
        {"commission": {"model": "tiered", "per": "year", "tiers": TIERS}},
        {"commission": {"model": "tiered", "per": "month", "tiers": []}},
        {"commission": {"model": "tiered", "per": "month", "tiers": TIERS[1:]}},
        {"commission": {"model": "tiered", "per": "month", "tiers": [TIERS[0], TIERS[0]]}},
        {"commission": {"model": "tiered", "per": "month", "tiers": TIERS * 11}},
        {"slippage": {"model": "ticks", "ticks": 1.5}},
        {"slippage": {"model": "ticks", "ticks": 1001}},
        {"participation_percent": "100.1"},
        {"participation_percent": None},
    ],
)
def test_a_document_that_makes_no_sense_is_refused(document: object) -> None:
    with pytest.raises(BadPaperTermsError):
        parse_paper_terms(document)


def test_terms_are_read_as_they_were_written() -> None:
    for terms in (
        DEFAULT,
        commission(model="tiered", per="month", tiers=TIERS),
        commission(model="per_share", amount="0.005", minimum="1", maximum_percent="0.5"),
    ):
        assert parse_paper_terms(paper_terms_document(terms)) == terms
