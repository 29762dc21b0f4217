"""How values look on the wire."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.models.base import Message, encode
from shared.models.frames import encode_frame
from shared.models.identifiers import AccountId, Symbol
from shared.models.orders import EquityMarked, Position, PositionChanged

_ACCOUNT = AccountId(UUID("6f1c2c5e-3a0b-4f57-9d1e-0b8f6f0c9a11"))
_AT = datetime(2024, 6, 5, 14, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E-8", "0.00000001"),
        ("-1.20E-10", "-0.000000000120"),
        ("0E-12", "0.000000000000"),
        ("1E+3", "1000"),
        ("2.5E+4", "25000"),
        ("0.000001", "0.000001"),
        ("-101.250", "-101.250"),
        ("0", "0"),
    ],
)
def test_a_decimal_has_no_exponent(value: str, text: str) -> None:
    assert encode(Decimal(value)) == f'"{text}"'.encode()
    assert msgspec.json.decode(encode([Decimal(value)]), type=list[Decimal]) == [Decimal(value)]


@pytest.mark.parametrize("value", ["1E+999999", "1E-999999", "NaN"])
def test_an_absurd_one_stays_short(value: str) -> None:
    assert encode(Decimal(value)) == f'"{value}"'.encode()


def test_frames_have_none_wherever_the_decimal_is() -> None:
    tiny = Decimal("1E-8")
    position = Position(
        account_id=_ACCOUNT,
        mode="paper",
        symbol=Symbol("BTC"),
        qty=tiny,
        avg_price=Decimal("65000.5"),
        realized_pnl=-tiny,
        fees=Decimal(0),
        updated_at=_AT,
    )
    frame = encode_frame("t", 1, PositionChanged(position=position, cash=tiny, tape_id="1-0"))
    body = msgspec.json.decode(frame)["data"]
    assert (body["cash"], body["position"]["qty"]) == ("0.00000001", "0.00000001")
    assert body["position"]["realized_pnl"] == "-0.00000001"
    assert b"E-" not in frame
    equity = EquityMarked(
        account_id=_ACCOUNT,
        mode="paper",
        at=_AT,
        cash=Decimal(1),
        equity=Decimal(1),
        unrealized_pnl=Decimal(0),
        prices={"SHIB": Decimal("9E-7")},
    )
    assert b'"prices":{"SHIB":"0.0000009"}' in encode(equity)


class Sample(Message, frozen=True, tag="sample"):
    text: str
    amount: Decimal
    at: datetime
    day: date
    id: UUID
    maybe: Decimal | None
    price: float
    pairs: tuple[tuple[str, Decimal], ...]


def _sample(amount: str, text: str = "plain") -> Sample:
    return Sample(
        text=text,
        amount=Decimal(amount),
        at=_AT,
        day=date(2024, 6, 5),
        id=_ACCOUNT,
        maybe=None,
        price=1e-9,
        pairs=(("a", Decimal("0.5")),),
    )


def test_all_else_is_written_as_in_a_message_without_small_decimals() -> None:
    usual = encode(_sample("0.5"))
    assert encode(_sample("5E-9")) == usual.replace(b'"amount":"0.5"', b'"amount":"0.000000005"')
    small: Any = msgspec.json.decode(encode(_sample("5E-9")), type=Sample)
    assert small == _sample("5E-9")


@pytest.mark.parametrize("text", ["1E-8", "5E+3", "TRADE-1", 'E-1"'])
def test_a_text_that_looks_like_a_number_stays_as_it_is(text: str) -> None:
    for amount in ("0.5", "5E-9"):
        decoded: Any = msgspec.json.decode(encode(_sample(amount, text)), type=Sample)
        assert decoded == _sample(amount, text)
