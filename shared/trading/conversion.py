"""Cash of one currency for cash of another, by command.

Refused, in this order: `mode_not_available` (a live account's cash is its broker's),
`invalid_amount`, `invalid_entry`, `currency_mismatch` (one of the two is the account's),
`fx_rate_missing`, `fx_rate_stale`, `insufficient_cash`, `invalid_amount` (it would bring nothing).
"""

from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

import msgspec

from shared.models.cash import ConvertCash, LedgerEntry, bought_entry_id
from shared.models.identifiers import Mode
from shared.trading.amounts import CENT, ZERO, rounded_up, shown
from shared.trading.cash import amount_fault, names_fault
from shared.trading.exchange import Exchange
from shared.trading.ledger import Ledger
from shared.trading.terms import Limits, Refused


def convert(
    command: ConvertCash,
    mode: Mode,
    ledger: Ledger,
    exchange: Exchange,
    limits: Limits,
    free: Decimal,
    at: datetime,
) -> Refused | tuple[LedgerEntry, LedgerEntry]:
    """What is sold, then what is bought: whole cents, rounded down. `free` is what may be sold."""
    fault = _fault_of(command, mode, exchange, limits, at)
    if fault is not None:
        return fault
    available = max(min(free, ledger.balance_of(command.from_currency)), ZERO)
    if command.amount > available:
        return Refused(
            "insufficient_cash",
            "There is not so much cash that no working order reserves.",
            limit=shown(available),
            observed=shown(command.amount),
        )
    selling = command.from_currency != exchange.base
    foreign = command.from_currency if selling else command.to_currency
    rate = exchange.selling_rate(foreign) if selling else exchange.buying(foreign, ZERO).rate
    exact = command.amount * rate if selling else command.amount / rate
    bought = exact.quantize(CENT, ROUND_FLOOR)
    if bought <= 0:
        return Refused(
            "invalid_amount",
            f"The amount is less than a cent of {command.to_currency}.",
            limit=shown(rounded_up(CENT / rate if selling else CENT * rate)),
            observed=shown(command.amount),
        )
    exchange.used[foreign] = exchange.rate(foreign)
    sold = ledger.enter("fx", -command.amount, at, currency=command.from_currency, rate=rate)
    got = ledger.enter("fx", bought, at, currency=command.to_currency, rate=rate)
    return _named(sold, command, command.client_entry_id), _named(
        got, command, bought_entry_id(command.client_entry_id)
    )


def _fault_of(
    command: ConvertCash, mode: Mode, exchange: Exchange, limits: Limits, at: datetime
) -> Refused | None:
    if mode == "live":
        return Refused("mode_not_available", "Cash at a broker is converted there.", "paper", mode)
    if command.amount.is_finite() and command.amount < 0:
        return Refused(
            "invalid_amount", "The amount is above zero.", limit="0", observed=shown(command.amount)
        )
    fault = amount_fault(command.amount, limits) or names_fault(
        command.client_entry_id, command.reason, command.submitted_by
    )
    if fault is not None:
        return fault
    pair = (command.from_currency, command.to_currency)
    if pair.count(exchange.base) != 1:
        return Refused(
            "currency_mismatch",
            f"Cash is converted from {exchange.base} or into it.",
            limit=exchange.base,
            observed="/".join(pair),
        )
    foreign = pair[1] if pair[0] == exchange.base else pair[0]
    return exchange.fault_of(foreign, at)


def _named(entry: LedgerEntry, command: ConvertCash, name: str) -> LedgerEntry:
    return msgspec.structs.replace(
        entry, client_entry_id=name, submitted_by=command.submitted_by, reason=command.reason
    )
