"""What an entry of cash must say, and what the books forbid. In the order of the checks:

1. invalid_amount          not a number of cents within bounds, or its sign is not its kind's
2. invalid_entry           without an id, a reason, or the other half of a transfer
3. invalid_submitter       who enters it is not named
4. currency_mismatch       not the account's currency, of live books
   fx_rate_missing, fx_rate_stale   what comes in another has no rate
5. account_closed          it takes no deposits any more; what it has may leave
6. insufficient_cash       an owner can't take what working orders reserve; nobody takes cash
                           below zero
"""

from datetime import datetime
from decimal import Decimal

from shared.models.cash import MoveCash, arriving_entry_id, transfer_id_of
from shared.trading.amounts import CENT, ZERO, shown
from shared.trading.exchange import Exchange
from shared.trading.terms import AccountTerms, Limits, Refused

_COMES = ("deposit",)
_LEAVES = ("withdrawal",)


def fault_of_entry(
    command: MoveCash,
    account: AccountTerms,
    limits: Limits,
    exchange: Exchange,
    cash: Decimal,
    free_cash: Decimal,
    at: datetime,
) -> Refused | None:
    """`cash` and `free_cash` are of the command's currency."""
    return (
        _fault_of_amount(command, limits)
        or _fault_of_words(command)
        or _fault_of_account(command, account)
        or _fault_of_currency(command, exchange, at)
        or _obstacle_to(command, cash, free_cash)
    )


def amount_fault(amount: Decimal, limits: Limits) -> Refused | None:
    if not amount.is_finite() or amount == 0 or abs(amount) > limits.max_notional:
        return Refused(
            "invalid_amount",
            "The amount is not zero, and within bounds.",
            limit=shown(limits.max_notional),
            observed=shown(amount),
        )
    if amount != amount.quantize(CENT):
        return Refused(
            "invalid_amount",
            "The amount has at most 2 decimals.",
            limit=shown(CENT),
            observed=shown(amount),
        )
    return None


def _fault_of_amount(command: MoveCash, limits: Limits) -> Refused | None:
    amount = command.amount
    fault = amount_fault(amount, limits)
    if fault is not None:
        return fault
    wrong = _LEAVES if amount > 0 else _COMES
    if command.kind in wrong:
        return Refused(
            "invalid_amount",
            f"A {command.kind} of this sign is none.",
            limit="0",
            observed=shown(amount),
        )
    return None


def names_fault(name: str, reason: str | None, submitted_by: str) -> Refused | None:
    if not _fits(name, 80):
        return Refused("invalid_entry", "An entry is named by at most 80 printable characters.")
    if reason is not None and not _fits(reason, 200):
        return Refused("invalid_entry", "A reason has at most 200 printable characters.")
    if not _fits(submitted_by, 128):
        return Refused(
            "invalid_submitter", "Who submits is named by at most 128 printable characters."
        )
    return None


def _fault_of_words(command: MoveCash) -> Refused | None:
    fault = names_fault(command.client_entry_id, command.reason, command.submitted_by)
    if fault is not None:
        return fault
    if command.kind == "adjustment" and command.reason is None:
        return Refused("invalid_entry", "An adjustment says why it is made.")
    ends = (command.transfer_id, command.counterpart_id)
    if command.kind != "transfer":
        if ends != (None, None):
            return Refused("invalid_entry", "Only a transfer has another account.")
    elif None in ends:
        return Refused("invalid_entry", "A transfer names itself and its other account.")
    elif command.counterpart_id == command.account_id:
        return Refused("same_account", "A transfer is between two accounts.")
    elif not _names_its_transfer(command):
        return Refused("invalid_entry", "The entry and its transfer are not of one name.")
    if command.rate is not None and not _rates_an_arrival(command):
        return Refused("invalid_entry", "Only what arrives by a transfer has a rate.")
    return None


def _rates_an_arrival(command: MoveCash) -> bool:
    rate = command.rate
    arrives = command.kind == "transfer" and command.amount > 0
    return arrives and rate is not None and rate.is_finite() and rate > 0


def _fault_of_account(command: MoveCash, account: AccountTerms) -> Refused | None:
    if command.currency != account.base_currency and command.mode == "live":
        return Refused(
            "currency_mismatch",
            "The account has another currency.",
            limit=account.base_currency,
            observed=command.currency,
        )
    if account.status != "active" and command.kind == "deposit":
        return Refused("account_closed", "The account is closed.", observed=account.status)
    return None


def _fault_of_currency(command: MoveCash, exchange: Exchange, at: datetime) -> Refused | None:
    """What leaves has been valued before, and what has left another account is always taken."""
    if command.currency == exchange.base or command.amount < 0 or command.rate is not None:
        return None
    return exchange.fault_of(command.currency, at)


def _obstacle_to(command: MoveCash, cash: Decimal, free_cash: Decimal) -> Refused | None:
    if command.amount > 0:
        return None
    owner_takes = command.kind in ("withdrawal", "transfer")
    available = max(min(cash, free_cash) if owner_takes else cash, ZERO)
    if -command.amount <= available:
        return None
    return Refused(
        "insufficient_cash",
        "There is not so much cash that no working order reserves."
        if owner_takes
        else "There is not so much cash.",
        limit=shown(available),
        observed=shown(-command.amount),
    )


def _names_its_transfer(command: MoveCash) -> bool:
    """So that no transfer leaves twice, and none arrives twice."""
    assert command.transfer_id is not None
    name = command.client_entry_id
    if command.amount > 0:
        return name == arriving_entry_id(command.transfer_id)
    return command.transfer_id == transfer_id_of(command.account_id, command.mode, name)


def _fits(text: str, most: int) -> bool:
    return bool(text) and len(text) <= most and text.isprintable()
