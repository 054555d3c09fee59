"""Reported balances recorded for many accounts in one statement, as the service records one."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"
# One plan for one account or five hundred: planning anew costs more than deciding. It is made for
# tables that grow: what was small when a connection planned is not read from end to end later.
_PLANNED = (
    f"{_PATH} SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"
    " SET enable_hashjoin = off SET enable_mergejoin = off"
)
# Keys are asked for here, where they are looked up by index: at the commit a table that was small
# when the connection first asked would be read from end to end, however far it has grown since.
# They wait for the commit again afterwards, as everybody else's.
KEYS_NOW = "SET CONSTRAINTS {0} IMMEDIATE; SET CONSTRAINTS {0} DEFERRED;"
_KEYS_OF_REPORTS = KEYS_NOW.format(
    "treasury_statementbalance_statement_id_same_tenant, core_delivery_event_id_same_tenant"
)
# An instant as events carry it: ISO 8601, Z, a fraction only where there is one.
_INSTANT = """to_char({at} AT TIME ZONE 'UTC', CASE
        WHEN date_trunc('second', {at}) = {at} THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
        ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)"""

# Each report once per name, in the order given: `is_newest` says what was so when it arrived.
ARRIVING = f"""
CREATE OR REPLACE FUNCTION treasury_record_balances(
    event_ids text[], indexes text[], others text[], currencies text[], codes text[],
    amounts numeric[], instants timestamptz[], digests text[], preference text[],
    at timestamptz, horizon timestamptz, ids uuid[], consumers text[])
RETURNS TABLE (place integer, what text, statement_id uuid, account_id uuid, is_newest boolean)
LANGUAGE plpgsql {_PLANNED} AS $$
#variable_conflict use_column
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
    -- An id for each report's statement, balance and event, and for each delivery of it; a process
    -- of the version before gives none for deliveries.
    each integer := CASE
        WHEN cardinality(ids) >= (3 + cardinality(consumers)) * cardinality(event_ids)
        THEN 3 + cardinality(consumers) ELSE 3 END;
BEGIN
    -- One report of an account at a time; in one order, so that no two batches wait for each other.
    PERFORM 1 FROM treasury_bankaccount a WHERE a.number_index = ANY(indexes || others)
      ORDER BY a.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH given AS (
        SELECT g.n::integer AS n, g.event_id, g.code, g.amount, g.as_of, g.digest, a.id AS account,
               (g.as_of AT TIME ZONE a.timezone)::date AS on_day, a.currency,
               array_length(preference, 1) - array_position(preference, g.code) AS fitness,
               row_number() OVER first AS turn,
               first_value(g.digest) OVER first AS first_digest
          FROM unnest(event_ids, indexes, others, currencies, codes, amounts, instants, digests)
               WITH ORDINALITY AS g(event_id, number, other, currency, code, amount, as_of, digest,
                                    n)
          LEFT JOIN LATERAL (
               SELECT found.id, found.timezone, found.currency FROM treasury_bankaccount found
                WHERE found.number_index IN (g.number, g.other)
                  AND found.currency = g.currency
                ORDER BY (found.number_index = g.number) DESC LIMIT 1) a ON true
        WINDOW first AS (PARTITION BY g.event_id, a.id IS NULL ORDER BY g.n)
    ), met AS (
        SELECT g.*, k.id AS known, k.content_sha256 AS known_digest
          FROM given g LEFT JOIN LATERAL (
               SELECT k.id, k.content_sha256 FROM treasury_statement k
                WHERE k.source = 'API' AND k.state <> 'DUPLICATE'
                  AND k.statement_ref = g.event_id LIMIT 1) k ON true
    ), judged AS (
        SELECT m.*, CASE
                   WHEN m.account IS NULL THEN 'UNKNOWN'
                   WHEN coalesce(m.known_digest, m.first_digest) <> m.digest THEN 'CONFLICT'
                   WHEN m.known IS NOT NULL OR m.turn > 1 THEN 'AGAIN'
                   ELSE 'NEW' END AS what
          FROM met m
    ), ranked AS (
        SELECT j.*, ids[each * (j.n - 1) + 1] AS row_id, ids[each * (j.n - 1) + 2] AS balance,
               ids[each * (j.n - 1) + 3] AS event,
               ARRAY[extract(epoch FROM j.as_of), j.fitness] AS strength,
               max(ARRAY[extract(epoch FROM j.as_of), j.fitness]) FILTER (WHERE j.what = 'NEW')
                   OVER (PARTITION BY j.account ORDER BY j.n
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
               -- Whether something newer, or at that instant something better, is stored.
               EXISTS (
                   SELECT 1 FROM treasury_statementbalance b
                     JOIN treasury_statement s ON s.id = b.statement_id AND s.state = 'POSTED'
                    WHERE b.account_id = j.account AND b.code = ANY(preference)
                      AND b.as_of >= j.as_of AND b.as_of <= horizon
                      AND (b.as_of > j.as_of OR array_length(preference, 1)
                           - array_position(preference, b.code::text) > j.fitness)) AS outdone
          FROM judged j
    ), said AS (
        SELECT r.*, coalesce(r.strength >= r.before, true)
                    AND NOT r.outdone AS newest
          FROM ranked r
    ), statements AS (
        INSERT INTO treasury_statement
            (id, tenant_id, account_id, source, statement_ref, version, page, message_sha256,
             body_sha256, content_sha256, locator, statement_date, period_start, period_end,
             bank_created_at, received_at, entries_count, state, proof, flags, reason, trace_id)
        SELECT s.row_id, wall, s.account, 'API', s.event_id, 1, 0, '', '', s.digest, '', s.on_day,
               s.on_day, s.on_day, s.as_of, at, 0, 'POSTED', 'NO_BALANCES', '{{}}', '', s.event
          FROM said s WHERE s.what = 'NEW' ORDER BY s.n
    ), balances AS (
        INSERT INTO treasury_statementbalance
            (id, tenant_id, statement_id, account_id, code, amount, credit_line_included, on_date,
             as_of)
        SELECT s.balance, wall, s.row_id, s.account, s.code, s.amount, 0, s.on_day, s.as_of
          FROM said s WHERE s.what = 'NEW' ORDER BY s.n
    ), told AS (
        INSERT INTO core_outboxevent
            (id, tenant_id, topic, version, aggregate, payload, occurred_at, correlation_id,
             producer)
        SELECT s.event, wall, 'ops.nostro.balance.update', 1, 'account:' || s.account,
               jsonb_build_object(
                   'account_id', s.account, 'currency', s.currency, 'balance_type', s.code,
                   'amount', s.amount::numeric(20, 4)::text, 'source', 'API',
                   'as_of', {_INSTANT.format(at="s.as_of")}, 'statement_id', s.row_id,
                   'brings_entries', false),
               at, s.event, 'treasury'
          FROM said s WHERE s.what = 'NEW' AND s.newest ORDER BY s.n
    ), delivered AS (
        INSERT INTO core_delivery
            (id, tenant_id, event_id, consumer, aggregate, state, attempts, fence, due_at,
             last_error)
        SELECT CASE WHEN each > 3 THEN ids[each * (s.n - 1) + 3 + c.nth::integer]
                    ELSE gen_random_uuid() END,
               wall, s.event, c.consumer, 'account:' || s.account, 'WAITING', 0, 0, at, ''
          FROM said s CROSS JOIN unnest(consumers) WITH ORDINALITY c(consumer, nth)
         WHERE s.what = 'NEW' AND s.newest ORDER BY s.n
    )
    SELECT s.n, s.what, CASE WHEN s.what = 'NEW' THEN s.row_id END, s.account,
           s.what = 'NEW' AND s.newest
      FROM said s ORDER BY s.n;
    IF FOUND THEN
        {_KEYS_OF_REPORTS}
        PERFORM pg_notify('tms_outbox', wall::text);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION treasury_instant(at timestamptz) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT {_INSTANT.format(at="at")}
$$;
"""
