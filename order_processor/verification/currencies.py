"""What must hold where books hold something in another currency than their account's. Queries as in
`queries.py`."""

#: Cash of each currency is what its newest entry left, and never below zero.
FOREIGN_CASH = """
WITH newest AS (
    SELECT DISTINCT ON (e.currency) e.currency, e.balance
      FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
     WHERE e.account_id = :account_id AND e.mode = :mode AND e.currency <> a.base_currency
     ORDER BY e.currency, e.seq DESC
), found AS (
    SELECT currency, balance FROM foreign_cash WHERE account_id = :account_id AND mode = :mode
)
SELECT currency, coalesce(trim_scale(n.balance)::text, 'none'),
       coalesce(trim_scale(f.balance)::text, 'none')
  FROM newest n FULL JOIN found f USING (currency)
 WHERE n.balance IS DISTINCT FROM f.balance OR n.balance < 0
"""

#: An entry in another currency has its rate, and so have both sides of a conversion; no other has.
ENTRY_RATES = """
SELECT e.seq::text,
       CASE WHEN e.kind = 'fx' OR e.currency <> a.base_currency THEN 'a rate' ELSE 'none' END,
       coalesce(trim_scale(e.rate)::text, 'none')
  FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
 WHERE e.account_id = :account_id AND e.mode = :mode
   AND ((e.kind = 'fx' OR e.currency <> a.base_currency) <> (e.rate IS NOT NULL) OR e.rate <= 0)
"""

#: A conversion is two entries, one after the other, of which one is in the account's currency: what
#: goes, then what comes. What is needed is bought to the last digit, rounded up; by command, which
#: names it, what comes is rounded down to cents.
CONVERSIONS = """
WITH fx AS (
    SELECT e.*, e.currency = a.base_currency AS home
      FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
     WHERE e.account_id = :account_id AND e.mode = :mode AND e.kind = 'fx'
), pairs AS (
    SELECT coalesce(s.seq, b.seq - 1) AS seq, s.amount AS gone, b.amount AS come,
           s.home AS sold_home, b.home AS bought_home, s.rate AS sold_rate, b.rate AS bought_rate,
           s.execution_id AS sold_by, b.execution_id AS bought_by,
           s.client_entry_id IS NULL AS needed
      FROM (SELECT * FROM fx WHERE amount < 0) s
      FULL JOIN (SELECT * FROM fx WHERE amount >= 0) b ON b.seq = s.seq + 1
), expected AS (
    SELECT *, CASE WHEN needed
                   THEN -ceil(come * sold_rate * 1000000000000) * 0.000000000001
                   ELSE gone END AS goes,
              CASE WHEN needed THEN come
                   WHEN sold_home THEN floor(-gone / sold_rate * 100) * 0.01
                   ELSE floor(-gone * sold_rate * 100) * 0.01 END AS comes
      FROM pairs
)
SELECT seq::text, concat_ws(' for ', trim_scale(comes), trim_scale(goes)),
       concat_ws(' for ', trim_scale(come), trim_scale(gone))
  FROM expected
 WHERE gone IS NULL OR come IS NULL OR sold_home = bought_home OR sold_rate <> bought_rate
    OR sold_by IS DISTINCT FROM bought_by OR (needed AND NOT sold_home)
    OR gone IS DISTINCT FROM goes OR come IS DISTINCT FROM comes
"""

#: What an execution paid or brought, and its fee, are in the instrument's currency, at the rate
#: that the execution has; so is the profit in the account's currency.
EXECUTION_RATES = """
SELECT e.id::text,
       concat_ws(' ', i.currency, 'at', CASE WHEN i.currency = a.base_currency THEN 'none'
                                            ELSE trim_scale(e.fx_rate)::text END,
                 round(e.realized_pnl * e.fx_rate, 12)),
       concat_ws(' ', l.currency, 'at', coalesce(trim_scale(l.rate)::text, 'none'),
                 e.realized_pnl_base)
  FROM executions e JOIN accounts a ON a.id = e.account_id
  JOIN instruments i ON i.symbol = e.symbol
  JOIN ledger_entries l ON l.execution_id = e.id AND l.kind IN ('fill', 'fee')
 WHERE e.account_id = :account_id AND e.mode = :mode
   AND (l.currency <> i.currency OR l.rate IS DISTINCT FROM e.fx_rate
        OR (i.currency = a.base_currency) <> (e.fx_rate IS NULL)
        OR abs(e.realized_pnl * e.fx_rate - e.realized_pnl_base) > 0.000000000001)
"""

CURRENCY_CHECKS = {
    "foreign_cash": FOREIGN_CASH,
    "entry_rates": ENTRY_RATES,
    "conversions": CONVERSIONS,
    "execution_rates": EXECUTION_RATES,
}
