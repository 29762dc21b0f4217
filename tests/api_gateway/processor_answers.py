"""How the order processor's double answers each command, and what it stores."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.database.tables import AccountRow, LedgerEntryRow, OrderRow
from shared.models.cash import CashReply, LedgerEntry, MoveCash
from shared.models.identifiers import Symbol
from shared.models.margin import MarginFigures, margin_terms_document, parse_margin_terms
from shared.models.orders import (
    BooksReply,
    CancelOrder,
    CancelOrders,
    ClosePositions,
    NotClosed,
    OpenBooks,
    Order,
    OrderReply,
    OrdersReply,
    ProtectPosition,
    Refusal,
    ReplaceOrder,
    Reply,
    SubmitOrder,
)
from shared.models.risk import (
    AcknowledgeLoss,
    ChangeMargin,
    ReleaseKillSwitch,
    RiskCommand,
    RiskReply,
    RiskState,
)
from shared.trading.classes import parts_of

_NOTHING = Decimal(0)

_FREE = MarginFigures(
    equity=Decimal(100),
    initial_requirement=_NOTHING,
    maintenance_requirement=_NOTHING,
    order_requirement=_NOTHING,
    excess=Decimal(100),
    buying_power=Decimal(200),
    use_percent=_NOTHING,
)


def open_books(db: Session, command: OpenBooks) -> Reply:
    account = db.get_one(AccountRow, command.account_id)
    deposit = db.get(LedgerEntryRow, (account.id, "paper", 1))
    if deposit is None:
        deposit = LedgerEntryRow(
            account_id=account.id,
            mode="paper",
            seq=1,
            kind="deposit",
            amount=account.paper_capital,
            currency=account.base_currency,
            balance=account.paper_capital,
            at=datetime.now(UTC),
        )
        db.add(deposit)
    return BooksReply(request_id=command.request_id, cash=deposit.balance)


def change_margin(db: Session, command: ChangeMargin) -> Reply:
    """Terms of 99 % are more than anybody's equity."""
    if command.terms is not None and command.terms.initial_percent == 99:
        return Refusal(
            request_id=command.request_id,
            code="requirement_not_met",
            message="Too much.",
            limit="1",
            observed="2",
        )
    account = db.get_one(AccountRow, command.account_id)
    account.margin_terms = margin_terms_document(command.terms)
    db.flush()
    return risk(db, command)


def risk(db: Session, command: RiskCommand) -> Reply:
    """Nothing is at stake, nothing latched."""
    terms = parse_margin_terms(db.get_one(AccountRow, command.account_id).margin_terms)
    if isinstance(command, AcknowledgeLoss | ReleaseKillSwitch):
        code = (
            "loss_limit_not_latched"
            if isinstance(command, AcknowledgeLoss)
            else "kill_switch_not_engaged"
        )
        return Refusal(request_id=command.request_id, code=code, message="Nothing is latched.")
    return RiskReply(
        request_id=command.request_id,
        at=datetime.now(UTC),
        state=RiskState(),
        gross_exposure=Decimal(0),
        net_exposure=Decimal(0),
        loss=Decimal(0),
        open_orders=0,
        halted=None,
        limits=(),
        margin_terms=terms,
        margin=None if terms is None else _FREE,
    )


def submit(db: Session, command: SubmitOrder) -> Reply:
    if command.symbol == "NOPE":
        return Refusal(
            request_id=command.request_id, code="unknown_symbol", message="There is no NOPE."
        )
    order_id = uuid5(command.account_id, f"{command.mode}:{command.client_order_id}")
    row = db.get(OrderRow, order_id)
    if row is not None and row.qty != (command.qty or 2):
        return Refusal(
            request_id=command.request_id,
            code="client_order_id_conflict",
            message="Another order has this client_order_id.",
        )
    repeated = row is not None
    if row is None:
        row = _new_order(db, command, order_id)
        for role, part in parts_of(command)[1:]:
            leg_id = uuid5(part.account_id, f"{part.mode}:{part.client_order_id}")
            leg = _new_order(db, part, leg_id)
            leg.group_id, leg.group_role, leg.status = order_id, role, "held"
            row.group_id, row.group_role = order_id, parts_of(command)[0][0]
        db.flush()
    legs = db.scalars(
        select(OrderRow).where(OrderRow.group_id == order_id, OrderRow.id != order_id)
    )
    return OrderReply(
        request_id=command.request_id,
        order=_message(row),
        repeated=repeated,
        legs=tuple(_message(leg) for leg in legs),
    )


def _new_order(db: Session, command: SubmitOrder, order_id: UUID) -> OrderRow:
    rejected = command.symbol == "DEAR"
    of_account = OrderRow.account_id == command.account_id
    last = db.scalar(select(func.max(OrderRow.seq)).where(of_account)) or 0
    now = datetime.now(UTC)
    row = OrderRow(
        id=order_id,
        account_id=command.account_id,
        mode=command.mode,
        client_order_id=command.client_order_id,
        submitted_by=command.submitted_by,
        symbol=command.symbol,
        side=command.side,
        type=command.order_type,
        time_in_force=command.time_in_force,
        qty=command.qty or Decimal(2),
        notional=command.notional,
        extended_hours=command.extended_hours is not False,
        limit_price=command.limit_price,
        stop_price=command.stop_price,
        trail_price=command.trail_price,
        trail_percent=command.trail_percent,
        expires_at=command.expires_at,
        order_class=command.order_class,
        status="rejected" if rejected else "accepted",
        filled_qty=Decimal(0),
        reason_code="buying_power" if rejected else None,
        reason="There is not enough cash." if rejected else None,
        seq=last + 1,
        submitted_at=now,
        updated_at=now,
        reserved=Decimal(0),
        paper_terms={},
        tape_id="0-0",
    )
    db.add(row)
    db.flush()
    return row


def cancel(db: Session, command: CancelOrder) -> Reply:
    row = db.get_one(OrderRow, command.order_id)
    if row.status != "accepted":
        return Refusal(
            request_id=command.request_id,
            code="order_not_working",
            message=f"The order is {row.status}.",
        )
    row.status = "cancelled"
    return OrderReply(request_id=command.request_id, order=_message(row))


def replace(db: Session, command: ReplaceOrder) -> Reply:
    """Any working order, once."""
    old = db.get_one(OrderRow, command.order_id)
    new_id = uuid5(command.account_id, f"{command.mode}:{command.client_order_id}")
    known = db.get(OrderRow, new_id)
    if known is not None:
        return OrderReply(request_id=command.request_id, order=_message(known), repeated=True)
    if old.status != "accepted":
        return Refusal(
            request_id=command.request_id, code="order_not_working", message="It has ended."
        )
    new = _like(db, old, new_id, command.client_order_id)
    new.limit_price = command.limit_price or old.limit_price
    new.replaces, old.replaced_by, old.status = old.id, new_id, "replaced"
    return OrderReply(request_id=command.request_id, order=_message(new))


def _like(db: Session, old: OrderRow, order_id: UUID, client_order_id: str) -> OrderRow:
    names = OrderRow.__table__.columns.keys()
    values = {name: getattr(old, name) for name in names}
    row = OrderRow(
        **values | {"id": order_id, "client_order_id": client_order_id, "seq": old.seq + 1000}
    )
    db.add(row)
    return row


def cancel_all(db: Session, command: CancelOrders) -> Reply:
    working = select(OrderRow).where(
        OrderRow.account_id == command.account_id, OrderRow.status == "accepted"
    )
    rows = [row for row in db.scalars(working) if command.symbol in (None, row.symbol)]
    for row in rows:
        row.status = "cancelled"
    return OrdersReply(request_id=command.request_id, orders=[_message(row) for row in rows])


def protect(db: Session, command: ProtectPosition) -> Reply:
    """SPY is held; an exit is at its price, or at 100."""
    if command.symbol != "SPY":
        return Refusal(
            request_id=command.request_id, code="position_not_open", message="Nothing is held."
        )
    told = []
    for role, ticket in (("take_profit", command.take_profit), ("stop_loss", command.stop_loss)):
        if ticket is None:
            continue
        name = f"{command.client_order_id}.{role}"
        exit_order = SubmitOrder(
            request_id=command.request_id,
            reply_to=command.reply_to,
            account_id=command.account_id,
            mode=command.mode,
            client_order_id=name,
            submitted_by=command.submitted_by,
            symbol=command.symbol,
            side="sell",
            order_type="limit",
            time_in_force="gtc",
            qty=Decimal(5),
            limit_price=Decimal(100),
        )
        row = _new_order(db, exit_order, uuid5(command.account_id, name))
        row.protects_position, row.group_role = True, role
        db.flush()
        told.append(_message(row))
    return OrderReply(request_id=command.request_id, order=told[0], legs=tuple(told[1:]))


def close(db: Session, command: ClosePositions) -> Reply:
    """SPY and IBM are held, and IBM can't be sold."""
    if command.symbol not in (None, "SPY", "DEAR"):
        return Refusal(
            request_id=command.request_id, code="position_not_open", message="Nothing is held."
        )
    symbol = command.symbol or Symbol("SPY")
    name = command.client_order_id if command.symbol else f"{command.client_order_id}.{symbol}"
    reply = submit(
        db,
        SubmitOrder(
            request_id=command.request_id,
            reply_to=command.reply_to,
            account_id=command.account_id,
            mode=command.mode,
            client_order_id=name,
            submitted_by=command.submitted_by,
            symbol=symbol,
            side="sell",
            order_type="market",
            time_in_force="gtc",
            qty=command.qty or Decimal(5),
        ),
    )
    assert isinstance(reply, OrderReply)
    return OrdersReply(
        request_id=command.request_id,
        orders=[reply.order],
        not_closed=() if command.symbol else (NotClosed(Symbol("IBM"), "halted", "No."),),
        repeated=reply.repeated,
    )


def move_cash(db: Session, command: MoveCash) -> Reply:
    """Nothing is reserved here: all cash is free."""
    rows = db.scalars(
        select(LedgerEntryRow)
        .where(LedgerEntryRow.account_id == command.account_id)
        .order_by(LedgerEntryRow.seq)
    ).all()
    names = [field.name for field in msgspec.structs.fields(LedgerEntry)]
    for row in rows:
        if row.client_entry_id == command.client_entry_id:
            if row.amount != command.amount:
                return Refusal(
                    request_id=command.request_id,
                    code="client_entry_id_conflict",
                    message="Another entry has this client_entry_id.",
                )
            known = LedgerEntry(**{name: getattr(row, name) for name in names})
            return CashReply(request_id=command.request_id, entry=known, repeated=True)
    balance = rows[-1].balance + command.amount
    if balance < 0:
        return Refusal(
            request_id=command.request_id,
            code="insufficient_cash",
            message="There is not so much cash.",
            limit=str(rows[-1].balance),
            observed=str(-command.amount),
        )
    values = {name: getattr(command, name, None) for name in names}
    values |= {"seq": len(rows) + 1, "balance": balance, "at": datetime.now(UTC)}
    db.add(LedgerEntryRow(account_id=command.account_id, mode=command.mode, **values))
    return CashReply(request_id=command.request_id, entry=LedgerEntry(**values))


def _message(row: OrderRow) -> Order:
    names = [field.name for field in msgspec.structs.fields(Order)]
    return Order(**{name: getattr(row, name) for name in names})
