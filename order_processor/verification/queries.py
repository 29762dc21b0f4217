"""What must hold of the tables, each as a query that gives the rows for which it doesn't.

Sums are Postgres', not ours: nothing here is shared with what keeps the books. Each query gives
(item, expected, found) for the books of `:account_id` and `:mode`.
"""

from sqlalchemy import text

from order_processor.verification.currencies import CURRENCY_CHECKS

LEDGER_NUMBERS = """
SELECT seq::text, n::text, seq::text
  FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS n FROM ledger_entries
         WHERE account_id = :account_id AND mode = :mode) AS e
 WHERE seq <> n
"""

LEDGER_BALANCE = """
SELECT seq::text, trim_scale(total)::text, trim_scale(balance)::text
  FROM (SELECT seq, balance, sum(amount) OVER (PARTITION BY currency ORDER BY seq) AS total
          FROM ledger_entries WHERE account_id = :account_id AND mode = :mode) AS e
 WHERE balance <> total
"""

#: A buy pays its notional rounded up to 12 decimals, a sell brings it rounded down.
LEDGER_OF_EXECUTIONS = """
WITH expected AS (
    SELECT id, 'fill' AS kind,
           CASE side WHEN 'buy' THEN -ceil(qty * price * 1000000000000) * 0.000000000001
                     ELSE floor(qty * price * 1000000000000) * 0.000000000001 END AS amount
      FROM executions WHERE account_id = :account_id AND mode = :mode
    UNION ALL
    SELECT id, 'fee', -fee FROM executions
     WHERE account_id = :account_id AND mode = :mode AND fee > 0
), found AS (
    SELECT execution_id AS id, kind, sum(amount) AS amount, count(*) AS entries
      FROM ledger_entries
     WHERE account_id = :account_id AND mode = :mode
       AND (kind IN ('fill', 'fee') OR execution_id IS NOT NULL) AND kind <> 'fx'
     GROUP BY execution_id, kind
)
SELECT concat_ws(' ', kind, 'of', id), coalesce(trim_scale(e.amount)::text, 'none'),
       coalesce(trim_scale(f.amount)::text || ' in ' || entries, 'none')
  FROM expected e FULL JOIN found f USING (id, kind)
 WHERE e.amount IS DISTINCT FROM f.amount OR f.entries > 1
"""

EXECUTION_NUMBERS = """
SELECT seq::text, n::text, seq::text
  FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS n FROM executions
         WHERE account_id = :account_id AND mode = :mode) AS e
 WHERE seq <> n
"""

ORDER_FILLS = """
WITH filled AS (
    SELECT order_id, sum(qty) AS qty, sum(qty * price) AS notional
      FROM executions WHERE account_id = :account_id AND mode = :mode GROUP BY order_id
)
SELECT o.id::text, concat_ws(' at ', trim_scale(coalesce(f.qty, 0)),
                             round(f.notional / f.qty, 12)),
       concat_ws(' at ', trim_scale(o.filled_qty), o.filled_avg_price) || ', ' || o.status
  FROM orders o LEFT JOIN filled f ON f.order_id = o.id
 WHERE o.account_id = :account_id AND o.mode = :mode
   AND (o.filled_qty <> coalesce(f.qty, 0)
        OR (o.status = 'filled') <> (o.qty = coalesce(f.qty, 0))
        OR (o.filled_avg_price IS NULL) <> (f.qty IS NULL)
        OR abs(o.filled_avg_price * f.qty - f.notional) > 0.000000000001 * f.qty)
"""

ORDER_OF_EXECUTION = """
SELECT e.id::text, concat_ws(' ', o.side, o.symbol, o.deployment_id),
       concat_ws(' ', e.side, e.symbol, e.deployment_id)
  FROM executions e JOIN orders o ON o.id = e.order_id
 WHERE e.account_id = :account_id AND e.mode = :mode
   AND (o.account_id, o.mode, o.side, o.symbol, o.deployment_id)
       IS DISTINCT FROM (e.account_id, e.mode, e.side, e.symbol, e.deployment_id)
"""

ORDER_TRANSITIONS = """
SELECT o.id::text, coalesce(t.steps || ' steps to ' || t.last, 'none'), o.status
  FROM orders o LEFT JOIN (
        SELECT order_id, count(*) AS steps, max(seq) AS highest,
               (array_agg(to_status ORDER BY seq DESC))[1] AS last
          FROM order_transitions
         WHERE order_id IN (SELECT id FROM orders
                             WHERE account_id = :account_id AND mode = :mode)
         GROUP BY order_id
       ) AS t ON t.order_id = o.id
 WHERE o.account_id = :account_id AND o.mode = :mode
   AND (t.last IS DISTINCT FROM o.status OR t.steps <> t.highest)
"""

#: What a working buy with a limit keeps is at least what it will pay there, before the fee.
RESERVATIONS = """
SELECT id::text, 'at least ' || CASE WHEN side = 'buy' AND type IN ('limit', 'stop_limit')
                                     THEN trim_scale((qty - filled_qty) * limit_price) ELSE 0 END,
       trim_scale(reserved)::text
  FROM orders
 WHERE account_id = :account_id AND mode = :mode
   AND status IN ('new', 'accepted', 'partially_filled')
   AND (reserved < 0 OR side = 'buy' AND type IN ('limit', 'stop_limit')
        AND reserved < (qty - filled_qty) * limit_price)
"""

#: What arrived has left the other account, once; what left arrives once or is under way.
TRANSFERS = """
SELECT e.transfer_id::text, trim_scale(-e.amount)::text || ' once',
       coalesce(trim_scale(o.amount)::text, 'none') || ' in ' || o.entries
  FROM ledger_entries e CROSS JOIN LATERAL (
        SELECT sum(x.amount) AS amount, count(*) AS entries FROM ledger_entries x
         WHERE x.transfer_id = e.transfer_id AND sign(x.amount) <> sign(e.amount)
           AND x.account_id = e.counterpart_id AND x.counterpart_id = e.account_id
           AND x.mode = e.mode AND x.currency = e.currency
       ) AS o
 WHERE e.account_id = :account_id AND e.mode = :mode AND e.kind = 'transfer'
   AND NOT (o.entries = 0 AND e.amount < 0) AND (o.entries <> 1 OR o.amount <> -e.amount)
"""

#: What a lot was opened with is open or was closed.
LOT_CLOSINGS = """
SELECT l.seq::text, trim_scale(l.opened_qty)::text,
       concat_ws(' and ', trim_scale(l.qty), trim_scale(c.qty))
  FROM lots l LEFT JOIN LATERAL (
        SELECT sum(c.qty) AS qty FROM lot_closings c
         WHERE c.account_id = l.account_id AND c.mode = l.mode AND c.lot_seq = l.seq
       ) AS c ON true
 WHERE l.account_id = :account_id AND l.mode = :mode
   AND l.opened_qty <> l.qty + coalesce(c.qty, 0)
"""

#: What executions paid and brought is what lots cost and what closing them brought. Of what splits
#: left over and was paid for in cash, the lots' cost is gone.
LOT_PROFITS = """
WITH flows AS (
    SELECT symbol, sum(flow) AS flow FROM (
        SELECT e.symbol, l.amount AS flow
          FROM executions e JOIN ledger_entries l ON l.execution_id = e.id AND l.kind = 'fill'
         WHERE e.account_id = :account_id AND e.mode = :mode
        UNION ALL
        SELECT a.symbol, e.lots_cost_removed
          FROM corporate_action_effects e JOIN corporate_actions a ON a.id = e.action_id
         WHERE e.account_id = :account_id AND e.mode = :mode
    ) AS each GROUP BY symbol
), opened AS (
    SELECT symbol, sum(cost) AS cost FROM lots
     WHERE account_id = :account_id AND mode = :mode GROUP BY symbol
), closed AS (
    SELECT symbol, sum(proceeds - cost) AS told, sum(realized_pnl) AS profit FROM lot_closings
     WHERE account_id = :account_id AND mode = :mode GROUP BY symbol
)
SELECT symbol, trim_scale(coalesce(flow, 0))::text,
       trim_scale(coalesce(profit, 0) - coalesce(cost, 0))::text
  FROM flows FULL JOIN opened USING (symbol) FULL JOIN closed USING (symbol)
 WHERE coalesce(flow, 0) <> coalesce(profit, 0) - coalesce(cost, 0)
    OR coalesce(told, 0) <> coalesce(profit, 0)
"""

CHECKS = {
    name: text(query)
    for name, query in {
        "ledger_numbers": LEDGER_NUMBERS,
        "ledger_balance": LEDGER_BALANCE,
        "ledger_of_executions": LEDGER_OF_EXECUTIONS,
        "execution_numbers": EXECUTION_NUMBERS,
        "order_fills": ORDER_FILLS,
        "order_of_execution": ORDER_OF_EXECUTION,
        "order_transitions": ORDER_TRANSITIONS,
        "reservations": RESERVATIONS,
        "transfers": TRANSFERS,
        "lot_closings": LOT_CLOSINGS,
        "lot_profits": LOT_PROFITS,
        **CURRENCY_CHECKS,
    }.items()
}
