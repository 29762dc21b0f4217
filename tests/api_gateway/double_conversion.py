"""A conversion as the order processor makes it, at two dollars a euro and none for any other."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.tables import LedgerEntryRow
from shared.models.cash import ConversionReply, ConvertCash, LedgerEntry, entry_names
from shared.models.orders import Refusal, Reply


def convert_cash(db: Session, command: ConvertCash) -> Reply:
    rows = db.scalars(
        select(LedgerEntryRow)
        .where(LedgerEntryRow.account_id == command.account_id)
        .order_by(LedgerEntryRow.seq)
    ).all()
    names = entry_names(command)
    known = [row for name in names for row in rows if row.client_entry_id == name]
    if known:
        sold, bought = map(_entry, known)
        return ConversionReply(
            request_id=command.request_id, sold=sold, bought=bought, repeated=True
        )
    if {command.from_currency, command.to_currency} != {"USD", "EUR"}:
        return Refusal(
            request_id=command.request_id, code="fx_rate_missing", message="There is no rate."
        )
    rate = Decimal(2)
    got = command.amount * rate if command.from_currency == "EUR" else command.amount / rate
    made = []
    for name, currency, amount in zip(
        names, (command.from_currency, command.to_currency), (-command.amount, got), strict=True
    ):
        before = [row.balance for row in rows if row.currency == currency]
        row = LedgerEntryRow(
            account_id=command.account_id,
            mode=command.mode,
            seq=len(rows) + len(made) + 1,
            kind="fx",
            amount=amount,
            currency=currency,
            balance=(before[-1] if before else 0) + amount,
            at=datetime.now(UTC),
            client_entry_id=name,
            submitted_by=command.submitted_by,
            reason=command.reason,
            rate=rate,
        )
        db.add(row)
        made.append(row)
    db.flush()
    sold, bought = map(_entry, made)
    return ConversionReply(request_id=command.request_id, sold=sold, bought=bought)


def _entry(row: LedgerEntryRow) -> LedgerEntry:
    names = [field.name for field in msgspec.structs.fields(LedgerEntry)]
    return LedgerEntry(**{name: getattr(row, name) for name in names})
