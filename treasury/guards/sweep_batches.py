"""Sweeps decided for many accounts in one statement.

The rule stands in `treasury.engine.sweeps`, and the services of one account say what is meant.
These functions write the same rows, byte for byte, and leave aside what is rare: what they do not
decide they name, and the services decide it. No guard is passed by: the rows meet all triggers.

`plan` is what all accounts of a window share, gathered once by `treasury.selectors.sweep_plans`;
the statement that uses it proves that its ground has not changed since.
"""

from treasury.guards.reported_batches import KEYS_NOW
from treasury.guards.sweep_gathering import GATHER

_PATH = "SET search_path = pg_catalog, public, pg_temp"
# One plan for one account or five hundred: planning anew costs more than deciding. It is made for
# tables that grow: what was small when a connection planned is not read from end to end later.
_PLANNED = (
    f"{_PATH} SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"
    " SET enable_hashjoin = off SET enable_mergejoin = off"
)

_KEYS_OF_ORDERS = KEYS_NOW.format(
    "treasury_sweeporder_decision_id_same_tenant, core_delivery_event_id_same_tenant"
)

# Which versions of policies, products and calendar days a plan was made from. A row that is written
# again has another xmin or ctid, so what was changed and changed back is another ground too.
GROUND = f"""
CREATE OR REPLACE FUNCTION treasury_sweep_ground(
    keys text[], codes text[], first_day date, last_day date) RETURNS text
LANGUAGE plpgsql STABLE {_PATH} SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
BEGIN
    RETURN (SELECT md5(string_agg(v.part, ',' ORDER BY v.part COLLATE "C")) FROM (
        SELECT k.key || ':' || coalesce((
               SELECT p.version FROM core_policyversion p WHERE p.key = k.key
                ORDER BY p.version DESC LIMIT 1), 0) AS part
          FROM unnest(keys) k(key)
         UNION ALL
        SELECT p.id || ':' || p.xmin || p.ctid FROM treasury_sweepproduct p
         UNION ALL
        SELECT e.id || ':' || e.xmin || e.ctid FROM treasury_sweepeligibility e
         UNION ALL
        SELECT d.part FROM calendars_calendar c CROSS JOIN LATERAL (
               SELECT c.id || ':' || c.xmin || c.ctid AS part
                UNION ALL
               SELECT w.id || ':' || w.xmin || w.ctid FROM calendars_weekendrule w
                WHERE w.calendar_id = c.id
                UNION ALL
               SELECT h.id || ':' || h.xmin || h.ctid FROM calendars_holiday h
                WHERE h.calendar_id = c.id AND h.date BETWEEN first_day AND last_day) d
         WHERE c.code = ANY(codes)) v);
END $$;
"""

# Half to even, as the rule rounds; exact, because the quotient is never written down as a fraction.
ROUNDING = f"""
CREATE OR REPLACE FUNCTION treasury_half_even(above numeric, below numeric, places integer)
RETURNS numeric LANGUAGE plpgsql IMMUTABLE {_PATH} AS $$
DECLARE
    whole numeric := div(above * 10::numeric ^ places, below);
    twice numeric := 2 * abs(above * 10::numeric ^ places - whole * below);
BEGIN
    IF twice > below OR (twice = below AND mod(whole, 2) <> 0) THEN
        whole := whole + sign(above);
    END IF;
    RETURN round(whole / 10::numeric ^ places, places);
END $$;
"""

_TEXT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
# What a plan says: the variable, its name in the plan, its type. Read in one go: an expression for
# each would be made ready anew in every transaction.
_OF_PLAN = (
    ("cutoff", "cutoff", "timestamptz"),
    ("on_day", "day", "date"),
    ("until_day", "until", "date"),
    ("last_day", "last_day", "date"),
    ("keeps_term", "keeps_term_liquidity", "boolean"),
    ("headline", "headline", "text[]"),
    ("booked", "booked", "text[]"),
    ("available_codes", "available", "text[]"),
    ("agreed", "agreed", "text[]"),
    ("forecast", "forecast", "text[]"),
    ("patience", "patience", "integer"),
    ("farthest", "var_as_of_days_max", "integer"),
    ("buffer_share", "buffer_share", "numeric"),
    ("var_limit", "var_limit_bps", "numeric"),
    ("minimum_sweep", "minimum_sweep", "numeric"),
    ("observations_min", "observations_min", "integer"),
    ("prefers_green", "prefers_green", "boolean"),
    ("keeps_buffer", "fallback_keeps_buffer", "boolean"),
    ("is_incremental", "allow_incremental", "boolean"),
    ("large", "amount_max", "numeric"),
    ("bill_rate", "bill_rate", "numeric"),
    ("text_window", "text_window", "text"),
    ("text_policy", "text_policy", "text"),
    ("text_calendars", "text_calendars", "text"),
    ("p_id", "p_id", "uuid[]"),
    ("p_code", "p_code", "text[]"),
    ("p_kind", "p_kind", "text[]"),
    ("p_green", "p_green", "boolean[]"),
    ("p_active", "p_active", "boolean[]"),
    ("p_all", "p_all", "boolean[]"),
    ("p_named", "p_named", "text[]"),
    ("p_increment", "p_increment", "numeric[]"),
    ("p_minimum", "p_minimum", "numeric[]"),
    ("p_cap", "p_cap", "numeric[]"),
    ("p_rate", "p_rate", "numeric[]"),
    ("p_one", "p_one", "text[]"),
    ("p_two", "p_two", "text[]"),
    ("p_three", "p_three", "text[]"),
    ("p_settles", "p_settles", "date[]"),
    ("p_matures", "p_matures", "date[]"),
    ("p_rungs", "p_rungs", "text[]"),
    ("bills", "bills", "uuid[]"),
)
# What follows from it: the variable, the expression, its type.
_FROM_PLAN = (
    ("closure", "x.closure <> ''", "boolean"),
    ("oldest", "make_interval(mins => x.balance_age_minutes_max)", "interval"),
    ("freshest", "make_interval(hours => x.var_reading_hours_max)", "interval"),
    ("today", "(at AT TIME ZONE x.zone)::date", "date"),
    ("text_at", _TEXT.format("at"), "text"),
    ("products", "cardinality(x.p_id)", "integer"),
)
_ONLY_IN_PLAN = (
    "closure text, balance_age_minutes_max integer, var_reading_hours_max integer, zone text"
)
_READS = (*((name, f"x.{key}", kind) for name, key, kind in _OF_PLAN), *_FROM_PLAN)
_DECLARED = " ".join(f"{name} {kind};" for name, _, kind in _READS)
_READ = (
    f"SELECT {', '.join(read for _, read, _ in _READS)}"
    f" INTO {', '.join(name for name, _, _ in _READS)} FROM jsonb_to_record(plan)"
    f" AS x({', '.join(f'{key} {kind}' for _, key, kind in _OF_PLAN)}, {_ONLY_IN_PLAN});"
)

DECIDING = f"""
DROP FUNCTION IF EXISTS treasury_decide_sweeps(jsonb, uuid[], timestamptz, uuid[]);
-- `causes`: by account, in their order, the event that asked for the decision.
CREATE OR REPLACE FUNCTION treasury_decide_sweeps(
    plan jsonb, accounts uuid[], at timestamptz, ids uuid[], causes uuid[] DEFAULT '{{}}')
RETURNS TABLE (
    account uuid, what text, why text, decision uuid, order_id text, result text, branch text,
    reason text, product text, amount numeric)
LANGUAGE plpgsql {_PLANNED} AS $$
#variable_conflict use_variable
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
    {_DECLARED}
    p_held numeric[]; p_open boolean[];
    g record;
    seen_entity uuid;
    is_stale boolean; risk_state text; risk_var numeric; risk_count integer; fallback text;
    chosen integer; i integer; refused text; text_products text; text_risk text; text_money text;
    shared_sha text; text_cutoff text;
    -- What could be chosen from: as it is now, and all of it that a decision here names.
    universe text; universe_sha text; is_named boolean;
    universes text[] := '{{}}'; universe_shas text[] := '{{}}';
    text_costs text; text_inputs text; text_outcome text;
    excess numeric; kept numeric; swept numeric; before numeric; free numeric; least_swept numeric;
    rejected text; settles date; matures date; paid numeric; earned numeric; days integer;
    fraction numeric; outcome text; went text; said text; took text;
    facts_sha text; written text; mandate uuid;
    rung date; carried numeric; fewest numeric; earlier date; j integer;
    d_rows treasury_sweepdecision[] := '{{}}'; d_row treasury_sweepdecision;
    o_rows treasury_sweeporder[] := '{{}}'; o_row treasury_sweeporder;
    o_codes text[] := '{{}}'; o_seen text[] := '{{}}'; o_places integer[] := '{{}}';
    o_decided integer[] := '{{}}';
    quiet text[] := '{{}}'; number bigint; refused_of text; text_refused text;
    kind text := 'SWP-' || to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD');
    order_prefix text := 'SWP-' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || '-';
    payload_from text; payload_until text; text_instant text;
BEGIN
    {_READ}
    IF treasury_sweep_ground(
            (plan ->> 'keys')::text[], (plan ->> 'codes')::text[],
            (plan ->> 'ground_from')::date, (plan ->> 'ground_until')::date)
       IS DISTINCT FROM plan ->> 'ground' THEN
        what := 'OLD_PLAN'; why := '';
        RETURN NEXT;
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(
                hashtextextended('sweep ' || x.id || ' ' || (plan ->> 'cutoff_key'), 12))
       FROM (SELECT id FROM unnest(accounts) id ORDER BY id) x;
    -- Decisions that share a cap are made one after the other; the guard counts again.
    IF plan ->> 'is_capped' = 'true' THEN
        PERFORM 1 FROM treasury_sweepproduct p WHERE p.cap IS NOT NULL AND p.is_active
          ORDER BY p.id FOR NO KEY UPDATE;
    END IF;
    -- What is held counts only against a cap: without one it would be a sum over all orders.
    p_held := ARRAY(
        SELECT CASE WHEN x.cap IS NULL THEN 0 ELSE (
               SELECT coalesce(sum(o.amount), 0) FROM treasury_sweeporder o
                WHERE o.product_id = x.id AND o.matures_on > on_day AND o.settlement <> 'RETURNED'
                  AND (o.state <> 'FAILED' OR o.late_ack_at IS NOT NULL)) END
          FROM unnest(p_id, p_cap) WITH ORDINALITY x(id, cap, n) ORDER BY x.n);

    FOR g IN {GATHER} LOOP
        -- What is not decided here: said with its name, decided by the service.
        account := g.account; what := 'HANDED_OVER'; why := ''; decision := NULL;
        order_id := ''; result := ''; branch := ''; reason := ''; product := ''; amount := 0;
        is_stale := at - g.as_of > oldest;
        IF g.part IS NOT NULL AND NOT g.is_seen THEN
            why := 'UNSIGNED_ORDER';
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF g.sequence IS NOT NULL AND (
                CASE WHEN g.part IS NULL THEN g.was_refused ELSE NOT is_incremental END) THEN
            what := 'SAME';
            RETURN NEXT;
            CONTINUE;
        END IF;
        -- What it rested on was digested in another form: a person's No, or a bank's, still holds.
        IF g.is_older THEN
            why := 'OLDER_RECORD';
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF is_stale AND (NOT closure OR NOT g.has_balance) THEN
            why := 'STALE_BALANCE';
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF greatest(abs(g.available), g.committed, g.in_flight, g.minimum, g.outflows,
                    abs(coalesce(g.lowest, 0))) >= large THEN
            why := 'LARGE_AMOUNT';
            RETURN NEXT;
            CONTINUE;
        END IF;

        -- The risk, and which way it goes.
        risk_var := NULL; risk_count := 0;
        IF g.observed_at IS NULL THEN
            risk_state := 'MISSING';
        ELSIF at - g.observed_at > freshest OR today - g.risk_day > farthest THEN
            risk_state := 'STALE';
        ELSE
            risk_state := 'FRESH'; risk_var := g.var_bps; risk_count := g.observations;
        END IF;
        fallback := CASE
            WHEN g.available <= 0 THEN 'BASE_NOT_POSITIVE'
            WHEN risk_state <> 'FRESH' THEN 'VAR_' || risk_state
            WHEN risk_var IS NULL OR risk_count < observations_min THEN 'VAR_TOO_FEW_OBSERVATIONS'
            WHEN risk_var > var_limit THEN 'VAR_ABOVE_LIMIT'
            ELSE '' END;

        -- What the products look like to this account's company.
        IF seen_entity IS DISTINCT FROM g.entity THEN
            seen_entity := g.entity; text_products := NULL; refused_of := NULL;
            FOR i IN 1 .. products LOOP
                p_open[i] := p_active[i]
                    AND (p_all[i] OR strpos(p_named[i], g.entity::text) > 0);
            END LOOP;
        END IF;
        -- Written once for all accounts to which the products look alike.
        IF text_products IS NULL THEN
            text_products := '';
            FOR i IN 1 .. products LOOP
                text_products := text_products || CASE WHEN i > 1 THEN ',' ELSE '' END || p_one[i]
                    || trim_scale(p_held[i]) || p_two[i] || p_open[i]::text || p_three[i];
            END LOOP;
            universe := '{{"calendars":' || text_calendars || ',"products":[' || text_products
                || ']}}';
            universe_sha := encode(sha256(convert_to(universe, 'UTF8')), 'hex');
            is_named := false;
            shared_sha := encode(sha256(convert_to('{{"policy":' || text_policy
                || ',"universe":"' || universe_sha || '","window":' || text_window || '}}',
                'UTF8')), 'hex');
        END IF;
        text_risk := '{{"observations":' || risk_count || ',"state":"' || risk_state
            || '","var_bps":' || coalesce('"' || trim_scale(risk_var) || '"', 'null') || '}}';
        text_money := '"available":"' || trim_scale(g.available)
            || '","committed":"' || trim_scale(g.committed)
            || '","in_flight":"' || trim_scale(g.in_flight)
            || '","lowest":' || coalesce('"' || trim_scale(g.lowest) || '"', 'null')
            || ',"minimum":"' || trim_scale(g.minimum)
            || '","outflows":"' || trim_scale(g.outflows) || '"}}';
        facts_sha := encode(sha256(convert_to('{{"account":"' || g.account || '","is_stale":'
            || is_stale::text || ',"ladder":[' || g.words || '],"money":{{' || text_money
            || ',"risk":' || text_risk || ',"shared":"' || shared_sha || '"}}', 'UTF8')), 'hex');
        IF g.facts = facts_sha THEN
            what := 'SAME';
            RETURN NEXT;
            CONTINUE;
        END IF;
        text_inputs := '{{"account":"' || g.account || '","decided_at":"' || text_at
            || '","ladder":[' || g.words || '],"money":{{"as_of":"'
            || to_char(g.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
            || '",' || text_money || ',"policy":' || text_policy || ',"risk":' || text_risk
            || ',"universe":"' || universe_sha || '","window":' || text_window || '}}';

        -- The rule, one constraint after another.
        swept := 0; paid := 0; earned := 0; settles := NULL; matures := NULL; took := '';
        excess := 0; kept := 0; rejected := ''; text_costs := ''; mandate := NULL;
        IF closure THEN
            outcome := 'NO_SWEEP'; went := 'NONE'; said := 'CLOSED_DAY';
        ELSE
            went := CASE WHEN fallback = '' THEN 'WITHIN_LIMIT' ELSE 'FALLBACK' END;
            chosen := NULL;
            IF fallback = '' AND prefers_green THEN
                FOR i IN 1 .. products LOOP
                    IF p_open[i] AND p_kind[i] = 'NOTE' AND p_green[i] THEN
                        chosen := i; EXIT;
                    END IF;
                END LOOP;
            END IF;
            IF chosen IS NULL THEN
                FOR i IN 1 .. products LOOP
                    IF p_open[i] AND p_kind[i] = (
                            CASE WHEN fallback = '' THEN 'BILL' ELSE 'OVERNIGHT' END) THEN
                        chosen := i; EXIT;
                    END IF;
                END LOOP;
            END IF;
            IF refused_of IS DISTINCT FROM concat_ws('/', chosen, fallback) THEN
                refused_of := concat_ws('/', chosen, fallback); text_refused := '';
                FOR i IN 1 .. products LOOP
                    CONTINUE WHEN i = chosen;
                    refused := CASE
                        WHEN NOT p_open[i] THEN 'NOT_OPEN_TO_THIS_COMPANY'
                        WHEN fallback <> '' AND p_kind[i] <> 'OVERNIGHT' THEN fallback
                        WHEN p_kind[i] = 'OVERNIGHT' AND fallback = '' THEN 'RISK_ALLOWS_LONGER'
                        WHEN p_green[i] AND NOT p_green[chosen] THEN 'GREEN_NOT_PREFERRED'
                        ELSE 'ANOTHER_IS_PREFERRED' END;
                    text_refused := text_refused
                        || CASE WHEN text_refused = '' THEN '' ELSE ',' END
                        || '{{"product":"' || p_code[i] || '","why":"' || refused || '"}}';
                END LOOP;
            END IF;
            rejected := text_refused;
            free := greatest(0, g.available - g.committed - g.in_flight);
            excess := greatest(0, g.available - g.committed - g.in_flight - g.minimum);
            IF fallback = '' OR keeps_buffer THEN
                kept := buffer_share * greatest(0, g.outflows);
                IF kept <> round(kept, 4) THEN
                    kept := treasury_half_even(kept, 1, 4);
                END IF;
            END IF;
            IF chosen IS NULL THEN
                outcome := 'NO_SWEEP'; said := 'NO_PRODUCT';
            ELSE
                IF free > excess THEN
                    text_costs := treasury_sweep_cost(
                        'MINIMUM_BALANCE', free - excess, p_rate[chosen]);
                END IF;
                swept := greatest(0, least(excess, excess - kept));
                IF excess > swept THEN
                    text_costs := text_costs
                        || treasury_sweep_cost('BUFFER', excess - swept, p_rate[chosen]);
                END IF;
                IF p_kind[chosen] <> 'OVERNIGHT' AND g.lowest IS NOT NULL THEN
                    before := swept;
                    swept := greatest(0, least(before, g.lowest - g.minimum));
                    IF before > swept THEN
                        text_costs := text_costs || treasury_sweep_cost(
                            'TERM_LIQUIDITY', before - swept, p_rate[chosen]);
                    END IF;
                END IF;
                IF p_cap[chosen] IS NOT NULL THEN
                    before := swept;
                    swept := greatest(0, least(before, p_cap[chosen] - p_held[chosen]));
                    IF before > swept THEN
                        text_costs := text_costs
                            || treasury_sweep_cost('CAP', before - swept, p_rate[chosen]);
                    END IF;
                END IF;
                before := swept;
                swept := before - mod(before, p_increment[chosen]);
                IF before > swept THEN
                    text_costs := text_costs
                        || treasury_sweep_cost('INCREMENT', before - swept, p_rate[chosen]);
                END IF;
                least_swept := greatest(minimum_sweep, p_minimum[chosen]);
                IF swept > 0 AND swept >= least_swept THEN
                    outcome := 'SWEEP'; took := p_code[chosen];
                    said := CASE WHEN fallback = '' THEN 'WITHIN_LIMIT' ELSE fallback END;
                ELSE
                    outcome := 'NO_SWEEP';
                    said := CASE WHEN swept > 0 THEN 'BELOW_MINIMUM' ELSE 'NO_EXCESS' END;
                    IF swept > 0 THEN
                        text_costs := text_costs
                            || treasury_sweep_cost('MINIMUM_SWEEP', swept, p_rate[chosen]);
                    END IF;
                    swept := 0;
                END IF;
                IF fallback <> '' AND bill_rate > p_rate[chosen] AND swept > 0 THEN
                    text_costs := text_costs || treasury_sweep_cost(
                        'VAR_LIMIT', swept, bill_rate - p_rate[chosen]);
                END IF;
            END IF;
        END IF;

        IF outcome = 'SWEEP' THEN
            settles := p_settles[chosen]; matures := p_matures[chosen];
            IF settles IS NOT NULL AND p_kind[chosen] = 'BILL' THEN
                -- The rung that carries least; between equal ones the latest.
                fewest := NULL; earlier := '-infinity';
                FOREACH rung IN ARRAY p_rungs[chosen]::date[] LOOP
                    carried := 0;
                    FOR j IN 1 .. coalesce(cardinality(g.days), 0) LOOP
                        IF g.days[j] > earlier AND g.days[j] <= rung THEN
                            carried := carried + g.amounts[j];
                        END IF;
                    END LOOP;
                    IF fewest IS NULL OR carried <= fewest THEN
                        fewest := carried; matures := rung;
                    END IF;
                    earlier := rung;
                END LOOP;
            END IF;
            IF matures IS NULL OR settles IS NULL THEN
                why := 'DAYS_UNKNOWN'; RETURN NEXT; CONTINUE;
            END IF;
            days := matures - settles;
            fraction := swept * p_rate[chosen] * days;
            IF p_kind[chosen] = 'BILL' THEN
                paid := div((swept * 360 - fraction) * 100, 360) / 100;
                earned := swept - paid;
            ELSE
                paid := swept;
                earned := treasury_half_even(fraction, 360, 2);
            END IF;
            IF paid <= 0 OR paid <> round(paid, 2) THEN
                why := 'NO_WHOLE_CENTS'; RETURN NEXT; CONTINUE;
            END IF;
            FOR j IN 1 .. cardinality(g.mandates) LOOP
                IF (g.mandate_products[j] IS NULL OR g.mandate_products[j] = p_id[chosen])
                   AND swept <= g.order_most[j] AND swept <= g.day_left[j] THEN
                    mandate := g.mandates[j]; EXIT;
                END IF;
            END LOOP;
            IF mandate IS NULL THEN
                why := 'BEYOND_MANDATE'; RETURN NEXT; CONTINUE;
            END IF;
        ELSE
            quiet := quiet || g.account::text;
        END IF;

        text_outcome := '{{"amount":"' || trim_scale(swept) || '","branch":"' || went
            || '","comes_back":"' || trim_scale(paid + earned) || '","costs":['
            || substr(text_costs, 2) || '],"excess":"' || trim_scale(excess)
            || '","interest":"' || trim_scale(earned)
            || '","matures_on":' || coalesce('"' || matures || '"', 'null')
            || ',"paid_out":"' || trim_scale(paid) || '","product":"' || took
            || '","reason":"' || said || '","rejected":[' || rejected || '],"result":"' || outcome
            || '","settles_on":' || coalesce('"' || settles || '"', 'null')
            || ',"target_float":"' || trim_scale(kept) || '","warnings":[]}}';
        written := '{{"inputs":' || text_inputs || ',"outcome":' || text_outcome
            || ',"version":2}}';
        IF NOT is_named THEN
            is_named := true;
            universes := universes || universe; universe_shas := universe_shas || universe_sha;
        END IF;
        d_row.id := ids[4 * g.n - 3]; d_row.tenant_id := wall; d_row.account_id := g.account;
        d_row.cutoff_at := cutoff; d_row.day := on_day;
        d_row.sequence := coalesce(g.sequence, 0) + 1; d_row.decided_at := at;
        d_row.result := outcome; d_row.branch := went; d_row.reason := said;
        d_row.product_code := took; d_row.amount := swept; d_row.record := written;
        d_row.record_sha256 := encode(sha256(convert_to(written, 'UTF8')), 'hex');
        d_row.facts_sha256 := facts_sha; d_row.universe_sha256 := universe_sha;
        d_rows := d_rows || d_row;
        IF outcome = 'SWEEP' THEN
            o_decided := o_decided || cardinality(d_rows);
            o_row.id := ids[4 * g.n - 2]; o_row.tenant_id := wall; o_row.decision_id := d_row.id;
            o_row.account_id := g.account; o_row.product_id := p_id[chosen];
            o_row.mandate_id := mandate; o_row.amount := swept; o_row.cutoff_at := cutoff;
            o_row.day := on_day; o_row.part := coalesce(g.part, 0) + 1;
            o_row.settles_on := settles; o_row.matures_on := matures; o_row.paid_out := paid;
            o_row.comes_back := paid + earned; o_row.created_at := at; o_row.due_at := at;
            o_row.release := 'MANDATE'; o_row.state := 'NEW'; o_row.reason := '';
            o_row.jws := ''; o_row.key_id := ''; o_row.attempts := 0; o_row.bank_ref := '';
            o_row.settlement := 'PENDING'; o_row.payload := ''; o_row.payload_sha256 := '';
            o_row.order_id := '';
            o_row.line_id := g.lines[array_position(g.line_products, p_id[chosen])];
            o_row.trace_id := coalesce(g.trace_id, ids[4 * g.n]);
            o_rows := o_rows || o_row;
            o_codes := o_codes || p_code[chosen]; o_places := o_places || g.n;
            o_seen := o_seen || coalesce(trim_scale(risk_var)::text, 'null');
            IF p_cap[chosen] IS NOT NULL THEN
                p_held[chosen] := p_held[chosen] + swept; text_products := NULL;
            END IF;
        ELSE
            what := 'DECIDED'; decision := d_row.id; result := outcome; branch := went;
            reason := said; product := took; amount := swept;
            RETURN NEXT;
        END IF;
    END LOOP;

    -- In one order, so that no two batches wait for each other.
    INSERT INTO treasury_sweepuniverse (id, tenant_id, sha256, content)
    SELECT DISTINCT ON (x.sha) gen_random_uuid(), wall, x.sha, x.content
      FROM unnest(universe_shas, universes) x(sha, content)
     WHERE NOT EXISTS (SELECT 1 FROM treasury_sweepuniverse k
                        WHERE k.tenant_id = wall AND k.sha256 = x.sha)
     ORDER BY x.sha
        ON CONFLICT DO NOTHING;
    INSERT INTO treasury_sweepdecision SELECT x.* FROM unnest(d_rows) x;
    IF cardinality(o_rows) > 0 THEN
        INSERT INTO treasury_referencecounter AS c (id, tenant_id, kind, last)
        VALUES (gen_random_uuid(), wall, kind, cardinality(o_rows))
        ON CONFLICT ON CONSTRAINT counter_kind
        DO UPDATE SET last = c.last + cardinality(o_rows) RETURNING last INTO number;
        number := number - cardinality(o_rows);
        -- What all orders of the window say alike, and the instant as events carry it.
        payload_from := '{{"schema_version":"' || (plan ->> 'schema_version') || '","order_id":"';
        payload_until := '}},"created_ts":"' || treasury_sweep_instant(at) || '"}}';
        text_cutoff := treasury_sweep_instant(cutoff);
        text_instant := treasury_instant(at);
        what := 'DECIDED'; why := '';
        FOR i IN 1 .. cardinality(o_rows) LOOP
            o_row := o_rows[i]; d_row := d_rows[o_decided[i]];
            o_row.order_id := order_prefix || CASE WHEN number + i < 10000
                THEN lpad((number + i)::text, 4, '0') ELSE (number + i)::text END;
            o_row.payload := payload_from || o_row.order_id || '","source_account":"'
                || o_row.account_id || '","target_product":"' || o_codes[i] || '","amount_usd":'
                || CASE WHEN o_row.amount = round(o_row.amount, 2) THEN round(o_row.amount, 2)
                        ELSE round(o_row.amount, 4) END
                || ',"cutoff_utc":"' || text_cutoff
                || '","settlement_date":"' || o_row.settles_on
                || '","maturity_date":"' || o_row.matures_on
                || '","risk_checks":{{"var_limit_bps":' || trim_scale(var_limit)
                || ',"observed_var_bps":' || o_seen[i] || payload_until;
            o_row.payload_sha256 := encode(sha256(convert_to(o_row.payload, 'UTF8')), 'hex');
            o_rows[i] := o_row;
            account := o_row.account_id; decision := d_row.id; order_id := o_row.order_id;
            result := d_row.result; branch := d_row.branch; reason := d_row.reason;
            product := d_row.product_code; amount := d_row.amount;
            RETURN NEXT;
        END LOOP;
        WITH made AS (
            INSERT INTO treasury_sweeporder SELECT x.* FROM unnest(o_rows) x
        ), remembered AS (
            INSERT INTO treasury_historicalsweeporder
                (id, tenant_id, decision_id, account_id, product_id, mandate_id, order_id, amount,
                 cutoff_at, day, part, settles_on, matures_on, paid_out, comes_back, created_at,
                 payload, payload_sha256, release, state, reason, jws, key_id, intent_id, attempts,
                 due_at, sent_at, acked_at, bank_ref, failed_at, late_ack_at, settlement, line_id,
                 trace_id, history_date, history_type)
            SELECT m.id, m.tenant_id, m.decision_id, m.account_id, m.product_id, m.mandate_id,
                   m.order_id, m.amount, m.cutoff_at, m.day, m.part, m.settles_on, m.matures_on,
                   m.paid_out, m.comes_back, m.created_at, m.payload, m.payload_sha256, m.release,
                   m.state, m.reason, m.jws, m.key_id, m.intent_id, m.attempts, m.due_at, m.sent_at,
                   m.acked_at, m.bank_ref, m.failed_at, m.late_ack_at, m.settlement, m.line_id,
                   m.trace_id, clock_timestamp(), '+'
              FROM unnest(o_rows) m
        ), reserved AS (
            INSERT INTO treasury_expectedflow
                (id, tenant_id, account_id, source, source_ref, amount, value_date, description,
                 end_to_end_id, state, created_at)
            SELECT ids[4 * o_places[m.ordinality] - 1], wall, m.account_id, 'SWEEP',
                   m.order_id || ':out', -m.paid_out, m.settles_on,
                   left('Sweep into ' || o_codes[m.ordinality], 140), m.order_id, 'EXPECTED', at
              FROM unnest(o_rows) WITH ORDINALITY m
        ), told AS (
            INSERT INTO core_outboxevent
                (id, tenant_id, topic, version, aggregate, payload, occurred_at, correlation_id,
                 causation_id, producer)
            SELECT ids[4 * o_places[m.ordinality]], wall, 'sweep.order.created', 1,
                   'sweep:' || m.order_id,
                   jsonb_build_object(
                       'order_id', m.order_id, 'account_id', m.account_id,
                       'product', o_codes[m.ordinality],
                       'amount_usd', m.amount::text, 'cutoff_utc', plan ->> 'cutoff_event',
                       'state', m.state, 'reason', '', 'bank_ref', '', 'at', text_instant),
                   at, m.trace_id, causes[o_places[m.ordinality]], 'treasury'
              FROM unnest(o_rows) WITH ORDINALITY m
            RETURNING id, aggregate
        )
        INSERT INTO core_delivery
            (id, tenant_id, event_id, consumer, aggregate, state, attempts, fence, due_at,
             last_error)
        SELECT gen_random_uuid(), wall, t.id, c.consumer, t.aggregate, 'WAITING', 0, 0, at, ''
          FROM told t CROSS JOIN unnest((plan ->> 'consumers')::text[]) c(consumer);
        {_KEYS_OF_ORDERS}
        PERFORM pg_notify('tms_outbox', wall::text);
    END IF;
    IF cardinality(quiet) > 0 THEN
        UPDATE treasury_task t SET done_at = at, done_by_id = NULL, note = plan ->> 'answered'
         WHERE t.kind = plan ->> 'stale_task' AND t.key = ANY(quiet) AND t.done_at IS NULL;
    END IF;
END $$;

-- One constraint's cost as the record writes it, after a comma.
CREATE OR REPLACE FUNCTION treasury_sweep_cost(what text, amount numeric, rate numeric)
RETURNS text LANGUAGE plpgsql IMMUTABLE {_PATH} AS $$
BEGIN
    RETURN ',{{"amount":"' || trim_scale(amount) || '","constraint":"' || what || '","per_day":"'
        || trim_scale(treasury_half_even(amount * rate, 360, 4)) || '","rate":"'
        || trim_scale(rate) || '"}}';
END $$;
"""

SWEEP_BATCHES = GROUND + ROUNDING + DECIDING
