"""What each account of a batch brings to its decision, read in one query.

The words are those of `treasury_decide_sweeps`, inside of which it stands; what is read is what
`treasury.selectors.sweeps` and `treasury.selectors.ledger` read for one account.
"""

# What an account brings along, one row each, in the order given.
_GATHERED = """
    SELECT u.n::integer AS n, a.id AS account, a.entity_id AS entity,
           a.min_balance + a.required_collateral AS minimum,
           latest.sequence, latest.facts_sha256 AS facts, latest.universe_sha256 = '' AS is_older,
           standing.part, standing.is_seen,
           -- Asked only where something was decided before and no order stands, and of the account
           -- alone: a limit keeps the planner from gathering all that was ever refused.
           CASE WHEN latest.sequence IS NOT NULL AND standing.part IS NULL THEN coalesce((
                SELECT true FROM treasury_sweeporder o
                 WHERE o.account_id = a.id AND o.cutoff_at = cutoff AND o.state = 'FAILED'
                   AND o.release = 'WAITING' AND o.reason NOT IN ('SUPERSEDED', 'EXPIRED') LIMIT 1
                ), false) END AS was_refused,
           coalesce(stands.amount, 0) - coalesce(stands.line, 0) + coalesce(stands.moved, 0)
               + coalesce(stands.ahead, 0) AS available,
           coalesce(stands.as_of, '1970-01-01T00:00:00Z') AS as_of,
           stands.as_of IS NOT NULL AS has_balance, stands.trace_id,
           stands.committed, stands.in_flight, stands.outflows, stands.lowest,
           risk.observed_at, risk.as_of AS risk_day, risk.var_bps, risk.observations,
           rungs.words, rungs.days, rungs.amounts,
           may.mandates, may.mandate_products, may.order_most, may.day_left,
           lines.lines, lines.line_products
      FROM unnest(accounts) WITH ORDINALITY AS u(id, n)
      JOIN treasury_bankaccount a ON a.id = u.id AND a.is_active AND a.currency = 'USD'
      -- The widest mandate first; what each still lets through on the day.
      JOIN LATERAL (
           SELECT array_agg(m.id) AS mandates, array_agg(m.product_id) AS mandate_products,
                  array_agg(m.order_max) AS order_most, array_agg(m.day_left) AS day_left
             FROM (SELECT m.id, m.product_id, m.order_max, m.day_max - (
                          SELECT coalesce(sum(o.amount), 0) FROM treasury_sweeporder o
                           WHERE o.mandate_id = m.id AND o.day = on_day AND o.release = 'MANDATE'
                             AND (o.state <> 'FAILED' OR o.late_ack_at IS NOT NULL)) AS day_left
                     FROM treasury_sweepmandate m
                    WHERE m.account_id = a.id AND m.is_active
                      AND on_day BETWEEN m.valid_from AND m.valid_until
                    ORDER BY m.order_max DESC, m.name) m) may ON may.mandates IS NOT NULL
      CROSS JOIN LATERAL (
           SELECT array_agg(l.id) AS lines, array_agg(l.product_id) AS line_products
             FROM treasury_sweepline l WHERE l.account_id = a.id AND l.is_active) lines
      LEFT JOIN LATERAL (
           SELECT d.sequence, d.facts_sha256, d.universe_sha256 FROM treasury_sweepdecision d
            WHERE d.account_id = a.id AND d.cutoff_at = cutoff
            ORDER BY d.sequence DESC LIMIT 1) latest ON true
      LEFT JOIN LATERAL (
           SELECT o.part, o.state <> 'NEW' OR o.jws <> '' AS is_seen FROM treasury_sweeporder o
            WHERE o.account_id = a.id AND o.cutoff_at = cutoff AND o.state <> 'FAILED'
            ORDER BY o.part DESC LIMIT 1) standing ON true
      -- What is stated, what moved around it and what is expected: each read once, for what is
      -- available today and for the lowest of the days to come.
      CROSS JOIN LATERAL (
           WITH newest AS ({newest}
           ), base AS MATERIALIZED (
                (SELECT true AS is_head, n.* FROM newest n
                  ORDER BY n.as_of DESC, n.preference LIMIT 1)
                 UNION ALL
                SELECT false, n.* FROM (SELECT 1) one LEFT JOIN (
                       SELECT n.* FROM newest n WHERE n.code = ANY(booked)
                        ORDER BY n.as_of DESC, n.preference LIMIT 1) n ON true
                 WHERE keeps_term
           ), moved AS MATERIALIZED (
                SELECT b.is_head, b.code, b.amount AS base, x.*
                  FROM base b LEFT JOIN LATERAL ({moved}) x ON true
           ), expected AS MATERIALIZED (
                SELECT f.source, f.amount, f.value_date, f.expires_on FROM treasury_expectedflow f
                 WHERE f.account_id = a.id AND f.state = 'EXPECTED'
           ), change AS (
                SELECT CASE WHEN x.is_pending THEN greatest(x.value_date, on_day)
                            ELSE x.value_date END AS day, x.amount
                  FROM moved x WHERE NOT x.is_head AND (x.is_pending OR x.value_date >= on_day)
                 UNION ALL
                SELECT greatest(f.value_date, on_day), f.amount FROM expected f
                 WHERE f.expires_on IS NULL OR f.expires_on >= on_day
                 UNION ALL
                SELECT on_day, 0
           )
           SELECT head.amount, head.credit_line_included AS line, head.as_of, head.trace_id,
                  since.moved, since.ahead, flows.committed, flows.in_flight, flows.outflows,
                  CASE WHEN keeps_term THEN (
                       SELECT coalesce(max(m.base), 0) + coalesce(sum(CASE
                                  WHEN m.is_pending THEN 0
                                  WHEN m.in_base AND m.value_date >= on_day THEN -m.amount
                                  WHEN NOT m.in_base AND m.value_date < on_day THEN m.amount
                                  END), 0)
                         FROM moved m WHERE NOT m.is_head)
                     + (SELECT min(t.running)
                          FROM (SELECT sum(sum(c.amount)) OVER (ORDER BY c.day) AS running
                                  FROM change c WHERE c.day <= last_day GROUP BY c.day) t)
                  END AS lowest
             FROM (SELECT 1) one LEFT JOIN (SELECT b.* FROM base b WHERE b.is_head) head ON true
            CROSS JOIN (
                  -- What is booked and leaves on a later date is spoken for, net per value date.
                  SELECT sum(d.moved) AS moved, sum(least(d.ahead, 0)) AS ahead
                    FROM (SELECT sum(CASE WHEN NOT x.in_base AND x.value_date <= on_day
                                          THEN x.amount
                                          WHEN x.in_base AND x.value_date > on_day
                                               AND NOT x.code = ANY(available_codes)
                                          THEN -x.amount END) AS moved,
                                 sum(x.amount) FILTER (
                                     WHERE x.value_date > on_day
                                       AND NOT (x.in_base AND x.code = ANY(available_codes)))
                                     AS ahead
                            FROM moved x WHERE x.is_head AND NOT x.is_pending
                           GROUP BY x.value_date) d) since
            CROSS JOIN (
                  SELECT coalesce(-sum(f.amount) FILTER (
                             WHERE f.source = ANY(agreed) AND f.value_date <= until_day), 0)
                             AS committed,
                         coalesce(-sum(f.amount) FILTER (WHERE f.source = 'SWEEP'), 0) AS in_flight,
                         coalesce(-sum(f.amount) FILTER (
                             WHERE f.source = ANY(forecast) AND f.value_date <= until_day), 0)
                             AS outflows
                    FROM expected f WHERE f.amount < 0) flows) stands
      LEFT JOIN LATERAL (
           SELECT r.observed_at, r.as_of, r.var_bps, r.observations FROM treasury_riskreading r
            WHERE r.account_id = a.id AND r.observed_at <= at
            ORDER BY r.observed_at DESC, r.id DESC LIMIT 1) risk ON true
      CROSS JOIN LATERAL (
           SELECT coalesce(string_agg('{{"amount":"' || trim_scale(t.total) || '","matures_on":"'
                      || t.matures_on || '"}}', ',' ORDER BY t.matures_on), '') AS words,
                  array_agg(t.matures_on) AS days, array_agg(t.total) AS amounts
             FROM (SELECT o.matures_on, sum(o.amount) AS total FROM treasury_sweeporder o
                    WHERE o.account_id = a.id AND o.product_id = ANY(bills)
                      AND o.matures_on > on_day
                      AND o.settlement <> 'RETURNED'
                      AND (o.state <> 'FAILED' OR o.late_ack_at IS NOT NULL)
                    GROUP BY 1) t) rungs
     ORDER BY u.n
"""
# The newest posted balance of each code; codes of booked balances are among the headline's, in the
# same order.
_NEWEST = """
                SELECT f.*, c.preference FROM unnest(headline) WITH ORDINALITY c(code, preference)
                 CROSS JOIN LATERAL (
                       SELECT b.code, b.amount, b.credit_line_included, b.on_date, b.as_of,
                              b.statement_id, s.trace_id
                         FROM treasury_statementbalance b
                         JOIN treasury_statement s ON s.id = b.statement_id AND s.state = 'POSTED'
                        WHERE b.account_id = a.id AND b.code = c.code AND b.as_of <= at
                        ORDER BY b.as_of DESC, b.id DESC LIMIT 1) f"""
# What moved around a stated balance, as `treasury.selectors.ledger` reads it.
_MOVED = """
    SELECT d.value_date, false AS is_pending, d.amount,
           coalesce(b.code LIKE 'CL%' AND d.booking_date <= b.on_date, false) AS in_base
      FROM treasury_daymovement d
     WHERE d.account_id = a.id AND d.booking_date >= coalesce(b.on_date, '-infinity')
       AND (b.code IS NULL OR b.code NOT LIKE 'IT%' OR d.booking_date > b.on_date)
     UNION ALL
    SELECT d.value_date, false, d.amount, true
      FROM treasury_daymovement d
     WHERE d.account_id = a.id AND d.value_date >= on_day AND d.booking_date < b.on_date
     UNION ALL
    SELECT e.value_date, false, e.amount,
           e.announced_at <= b.as_of
           OR EXISTS (SELECT 1 FROM treasury_entryobservation o
                       WHERE o.entry_id = e.id AND o.statement_id = b.statement_id)
      FROM treasury_bankentry e
     WHERE b.code LIKE 'IT%' AND e.account_id = a.id AND e.booking_date = b.on_date
       AND e.state = 'COUNTED' AND e.status = 'BOOK'
     UNION ALL
    SELECT e.value_date, true, e.amount, false
      FROM treasury_bankentry e
     WHERE e.account_id = a.id AND e.state = 'COUNTED' AND e.status = 'PDNG'
       AND (e.booking_date >= coalesce(b.on_date, '-infinity') OR e.value_date >= on_day)
       AND e.value_date >= coalesce(b.on_date, '-infinity'::date) - patience
"""
GATHER = _GATHERED.format(newest=_NEWEST, moved=_MOVED)
