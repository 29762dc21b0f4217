"""Books and accounts, as they are stored."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, text

from order_processor.corporate_actions.repository import effects_of
from order_processor.risk.repository import risk_states
from order_processor.shards.batch import BY_HAND
from order_processor.shards.foreign import load_foreign
from order_processor.shards.rows import holding_of, lot_of, working_of
from order_processor.shards.state import BooksKey, LastSeen, StoredBooks
from shared.models.identifiers import Symbol
from shared.models.margin import parse_margin_terms
from shared.models.topics import ACCOUNT_TOPIC_KINDS, account_topic
from shared.trading.amounts import plain
from shared.trading.books import BooksState
from shared.trading.commissions import month_of
from shared.trading.paper_terms import parse_paper_terms
from shared.trading.terms import AccountTerms

WORKING_STATUS = "status IN ('new', 'held', 'accepted', 'partially_filled')"


def load_books(
    connection: Connection, keys: Iterable[BooksKey], last_seen: LastSeen
) -> list[StoredBooks]:
    """Books of the accounts that exist, as stored; empty ones for those never opened."""
    wanted = sorted(keys)
    accounts = load_accounts(connection, {account_id for account_id, _ in wanted})
    loaded = {
        key: StoredBooks(accounts[key[0]], key[1], BooksState(), {})
        for key in wanted
        if key[0] in accounts
    }
    if not loaded:
        return []
    ids = [account_id for account_id, _ in loaded]
    for key in loaded:
        _load_numbers(connection, key, loaded[key])
    for key, risk in risk_states(connection, ids).items():
        if key in loaded:
            loaded[key].state.risk = risk
    for key, actions in effects_of(connection, ids).items():
        if key in loaded:
            loaded[key].actions = actions
    for row in connection.execute(
        text("SELECT * FROM positions WHERE account_id = ANY(:ids)"), {"ids": ids}
    ):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            stored.state.holdings.append(holding_of(row))
    for row in connection.execute(
        text("SELECT * FROM strategy_positions WHERE account_id = ANY(:ids)"), {"ids": ids}
    ):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            owner = None if row.owner == BY_HAND else UUID(row.owner)
            stored.state.strategy_holdings.append((owner, holding_of(row)))
    for row in connection.execute(_OPEN_LOTS, {"ids": ids}):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            stored.state.lots.append(lot_of(row))
    for row in connection.execute(_WORKING_ORDERS, {"ids": ids}):
        stored = loaded.get((row.account_id, row.mode))
        if stored is not None:
            stored.state.working.append(working_of(row, last_seen))
            stored.exchanges[Symbol(row.symbol)] = row.exchange
            if row.currency != stored.account.base_currency:
                stored.state.foreign[Symbol(row.symbol)] = row.currency
    load_foreign(connection, loaded)
    return list(loaded.values())


_WORKING_ORDERS = text(
    f"""
    SELECT o.*, i.tick_size, i.lot_size, i.shortable, i.exchange, i.currency,
           (SELECT max(t.seq) FROM order_transitions t WHERE t.order_id = o.id) AS steps,
           e.executions, e.value, e.fees, b.broker_order_id, b.cancel_wanted
      FROM orders o JOIN instruments i ON i.symbol = o.symbol
      LEFT JOIN broker_orders b ON b.order_id = o.id
      CROSS JOIN LATERAL (
          SELECT count(*) AS executions, coalesce(sum(qty * price), 0) AS value,
                 coalesce(sum(fee), 0) AS fees
            FROM executions WHERE order_id = o.id) e
     WHERE o.account_id = ANY(:ids) AND o.{WORKING_STATUS}
     ORDER BY o.account_id, o.mode, o.seq
    """  # noqa: S608
)

_OPEN_LOTS = text(
    """
    SELECT * FROM lots WHERE account_id = ANY(:ids) AND qty <> 0 ORDER BY account_id, mode, seq
    """
)

_NUMBERS = text(
    """
    SELECT coalesce((SELECT max(seq) FROM orders WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT max(seq) FROM executions WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT max(seq) FROM lots WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT max(seq) FROM ledger_entries
                      WHERE account_id = :id AND mode = :mode), 0),
           coalesce((SELECT balance FROM ledger_entries
                      WHERE account_id = :id AND mode = :mode
                        AND currency = (SELECT base_currency FROM accounts WHERE id = :id)
                      ORDER BY seq DESC LIMIT 1), 0)
    """
)

#: Value of the latest executions up to the first one of another month.
_MONTH_VALUE = text(
    """
    WITH newest AS (
        SELECT at FROM executions WHERE account_id = :id AND mode = :mode ORDER BY seq DESC LIMIT 1)
    SELECT newest.at, (
        SELECT sum(e.qty * e.price) FROM executions e
         WHERE e.account_id = :id AND e.mode = :mode AND e.seq > coalesce((
            SELECT max(o.seq) FROM executions o
             WHERE o.account_id = :id AND o.mode = :mode
               AND date_trunc('month', o.at, 'UTC') <> date_trunc('month', newest.at, 'UTC')), 0))
      FROM newest
    """
)

_TOPIC_SEQS = text(
    """
    SELECT topic, (SELECT max(e.topic_seq) FROM account_events e WHERE e.topic = t.topic)
      FROM unnest(:topics) AS t (topic)
    """
)


def _load_numbers(connection: Connection, key: BooksKey, stored: StoredBooks) -> None:
    account_id, mode = key
    state = stored.state
    numbers = connection.execute(_NUMBERS, {"id": account_id, "mode": mode}).one()
    state.order_seq, state.execution_seq, state.lot_seq, state.ledger_seq, cash = numbers
    state.cash = plain(Decimal(cash))
    month = connection.execute(_MONTH_VALUE, {"id": account_id, "mode": mode}).one_or_none()
    if month is not None:
        state.month, state.month_value = month_of(month[0]), plain(month[1])
    topics = [account_topic(account_id, mode, kind) for kind in ACCOUNT_TOPIC_KINDS]
    stored.topic_seqs.update(
        {
            topic: last
            for topic, last in connection.execute(_TOPIC_SEQS, {"topics": topics})
            if last is not None
        }
    )


def load_accounts(connection: Connection, ids: set[UUID]) -> dict[UUID, AccountTerms]:
    if not ids:
        return {}
    rows = connection.execute(
        text(
            "SELECT id, owner_id, status, base_currency, paper_capital, paper_terms, margin_terms"
            " FROM accounts WHERE id = ANY(:ids)"
        ),
        {"ids": list(ids)},
    )
    return {
        row.id: AccountTerms(
            id=row.id,
            status=row.status,
            base_currency=row.base_currency,
            paper_capital=plain(row.paper_capital),
            paper=parse_paper_terms(row.paper_terms),
            owner_id=row.owner_id,
            margin=parse_margin_terms(row.margin_terms),
        )
        for row in rows
    }
