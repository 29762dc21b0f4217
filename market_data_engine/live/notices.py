"""Who is told that feeds fell silent, and that they are heard again: admins, and the owners of
strategies that wait for them. Written in the transaction that says so. Nothing here commits."""

import json
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, text

from market_data_engine.live.silence import Silent

_TELL = text(
    """
    INSERT INTO notifications (user_id, severity, code, text, context)
    SELECT u.id, :severity, :code, :text, CAST(:context AS jsonb)
      FROM users u
     WHERE u.role = 'admin'
        OR EXISTS (SELECT 1 FROM deployments d JOIN accounts a ON a.id = d.account_id
                    WHERE a.owner_id = u.id AND d.wanted = 'running' AND d.status <> 'stopped'
                      AND d.symbols ?| CAST(:symbols AS text[]))
    """
)


def tell_of_silence(
    connection: Connection, before: Collection[str], now: Mapping[str, Silent]
) -> None:
    """One notification for each feed and reason."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for symbol, silent in sorted(now.items()):
        if symbol not in before:
            by_reason.setdefault((silent.feed, silent.reason), []).append(symbol)
    for (feed, reason), symbols in by_reason.items():
        context = {"feed": feed, "symbols": symbols, "since": now[symbols[0]].since.isoformat()}
        _tell(connection, "warning", "feed_lost", reason, context, symbols)


def tell_of_return(connection: Connection, symbols: Collection[str]) -> None:
    if symbols:
        named = sorted(symbols)
        told = f"{len(named)} symbols are heard again."
        _tell(connection, "info", "feed_heard_again", told, {"symbols": named}, named)


def _tell(
    connection: Connection,
    severity: str,
    code: str,
    told: str,
    context: Mapping[str, object],
    symbols: list[str],
) -> None:
    connection.execute(
        _TELL,
        {
            "severity": severity,
            "code": code,
            "text": told,
            "context": json.dumps(context),
            "symbols": symbols,
        },
    )
