"""Sweeps: a decision is its record, an order is its decision, and nothing leaves unreleased."""

from treasury.engine.sweep_orders import SCHEMA_VERSION

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (
    ("NEW", "SENT"),
    ("SENT", "ACK"),
    ("NEW", "FAILED"),
    ("SENT", "FAILED"),
    # Only of what our own bank paid, and then refused or got back: see the trigger.
    ("ACK", "FAILED"),
)
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)

# What a mandate has let through on a day; what failed here and was executed late counts too.
_USED = """
    SELECT coalesce(sum(u.amount), 0){into} FROM treasury_sweeporder u
     WHERE u.mandate_id = {mandate} AND u.day = {day} AND u.release = 'MANDATE'
       AND u.id <> {besides} AND (u.state <> 'FAILED' OR u.late_ack_at IS NOT NULL)
"""
_USED_OF_ANY = _USED.format(
    into="", mandate="treasury_mandate_used.mandate", day="on_day", besides="besides"
)
_USED_OF_ORDER = _USED.format(
    into=" INTO used", mandate="m.id", day="o.day", besides="o.id"
).strip()
_INSTANT = """to_char({at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""

DECISION = f"""
CREATE OR REPLACE FUNCTION treasury_guard_sweep_decision() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    -- Taken apart once: most of what a decision costs is the reading of its record.
    said jsonb := NEW.record;
    outcome jsonb := said -> 'outcome';
    inputs jsonb := said -> 'inputs';
BEGIN
    IF NEW.record_sha256 <> encode(sha256(convert_to(NEW.record, 'UTF8')), 'hex')
       OR outcome ->> 'result' IS DISTINCT FROM NEW.result
       OR outcome ->> 'branch' IS DISTINCT FROM NEW.branch
       OR outcome ->> 'reason' IS DISTINCT FROM NEW.reason
       OR outcome ->> 'product' IS DISTINCT FROM NEW.product_code
       OR (outcome ->> 'amount')::numeric IS DISTINCT FROM NEW.amount
       -- Either it holds what could be chosen from itself, or it names it.
       OR coalesce(inputs ->> 'universe', '') <> NEW.universe_sha256
       OR (NEW.universe_sha256 = '') <> (inputs ? 'products')
       OR inputs ->> 'account' IS DISTINCT FROM NEW.account_id::text
       OR (inputs ->> 'decided_at')::timestamptz IS DISTINCT FROM NEW.decided_at
       OR (inputs -> 'window' ->> 'cutoff')::timestamptz IS DISTINCT FROM NEW.cutoff_at
       OR (inputs -> 'window' ->> 'day')::date IS DISTINCT FROM NEW.day
       OR NEW.day <> (NEW.cutoff_at AT TIME ZONE 'America/New_York')::date THEN
        RAISE EXCEPTION 'a decision says what its record says' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_sweepdecision;
CREATE TRIGGER guard BEFORE INSERT ON treasury_sweepdecision
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_sweep_decision();
"""

UNIVERSE = f"""
CREATE OR REPLACE FUNCTION treasury_guard_sweep_universe() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NEW.sha256 <> encode(sha256(convert_to(NEW.content, 'UTF8')), 'hex')
       OR NOT NEW.content::jsonb ?& ARRAY['calendars', 'products'] THEN
        RAISE EXCEPTION 'a universe of products is named by its digest'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_sweepuniverse;
CREATE TRIGGER guard BEFORE INSERT ON treasury_sweepuniverse
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_sweep_universe();

-- Asked once for a statement: whatever it decides names one universe, or a few.
CREATE OR REPLACE FUNCTION treasury_guard_universe_is_kept() RETURNS trigger
LANGUAGE plpgsql {_PATH} SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT f.tenant_id, f.universe_sha256 FROM fresh f
                        WHERE f.universe_sha256 <> '') named
         WHERE NOT EXISTS (SELECT 1 FROM treasury_sweepuniverse u
                            WHERE u.tenant_id = named.tenant_id
                              AND u.sha256 = named.universe_sha256)) THEN
        RAISE EXCEPTION 'a decision names products that are kept' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS universe_is_kept ON treasury_sweepdecision;
CREATE TRIGGER universe_is_kept AFTER INSERT ON treasury_sweepdecision
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_guard_universe_is_kept();
"""

QUESTIONS = f"""
CREATE OR REPLACE FUNCTION treasury_sweep_instant(at timestamptz) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT {_INSTANT.format(at="at")}
$$;

-- The only bytes that an order can have: every word from its row and its decision's record.
CREATE OR REPLACE FUNCTION treasury_sweep_payload(o treasury_sweeporder, record jsonb, product text)
RETURNS text LANGUAGE plpgsql STABLE {_PATH} AS $$
BEGIN
    RETURN '{{"schema_version":"{SCHEMA_VERSION}","order_id":"' || o.order_id
        || '","source_account":"' || o.account_id || '","target_product":' || to_json(product)
        || ',"amount_usd":'
        || CASE WHEN o.amount = round(o.amount, 2) THEN round(o.amount, 2) ELSE o.amount END
        || ',"cutoff_utc":"' || {_INSTANT.format(at="o.cutoff_at")}
        || '","settlement_date":"' || o.settles_on || '","maturity_date":"' || o.matures_on
        || '","risk_checks":{{"var_limit_bps":' || (record #>> '{{inputs,policy,var_limit_bps}}')
        || ',"observed_var_bps":' || coalesce(record #>> '{{inputs,risk,var_bps}}', 'null')
        || '}},"created_ts":"' || {_INSTANT.format(at="o.created_at")} || '"}}';
END $$;

-- What is approved where a mandate does not reach: the bytes that will be signed.
CREATE OR REPLACE FUNCTION treasury_sweep_content(o treasury_sweeporder) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'sweep', o.id, 'order_id', o.order_id, 'decision', o.decision_id,
        'account', o.account_id, 'product', o.product_id, 'amount', o.amount::text,
        'settles_on', o.settles_on, 'matures_on', o.matures_on,
        'payload_sha256', o.payload_sha256)
        -- What our own bank pays is approved together with who is paid.
        || coalesce((SELECT jsonb_build_object('line', l.id, 'ends', l.ends)
                       FROM treasury_sweepline l WHERE l.id = o.line_id), '{{}}')
$$;

CREATE OR REPLACE FUNCTION treasury_mandate_used(mandate uuid, on_day date, besides uuid)
RETURNS numeric LANGUAGE sql STABLE {_PATH} AS $${_USED_OF_ANY}$$;

CREATE OR REPLACE FUNCTION treasury_mandate_covers(o treasury_sweeporder) RETURNS boolean
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    m treasury_sweepmandate;
    used numeric;
BEGIN
    -- Orders under one mandate are counted one after the other.
    SELECT * INTO m FROM treasury_sweepmandate WHERE id = o.mandate_id FOR NO KEY UPDATE;
    {_USED_OF_ORDER};
    RETURN coalesce(m.is_active AND m.account_id = o.account_id
        AND (m.product_id IS NULL OR m.product_id = o.product_id)
        AND o.day BETWEEN m.valid_from AND m.valid_until
        AND o.amount <= m.order_max
        AND used + o.amount <= m.day_max, false);
END $$;
"""

ORDER = rf"""
-- The state of the payment of an order; NULL while there is none.
CREATE OR REPLACE FUNCTION treasury_sweep_payment(o treasury_sweeporder) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT p.state FROM treasury_proposal p
     WHERE p.tenant_id = o.tenant_id AND p.reference = o.order_id AND p.purpose = 'SWEEP'
$$;

-- What a product would hold of ours with this order, where that is more than its cap. Orders into a
-- capped product are counted one after the other, whatever account they come from.
CREATE OR REPLACE FUNCTION treasury_product_over_cap(o treasury_sweeporder) RETURNS numeric
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    ceiling numeric;
    held numeric;
BEGIN
    SELECT p.cap INTO ceiling FROM treasury_sweepproduct p WHERE p.id = o.product_id;
    IF ceiling IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT p.cap INTO ceiling FROM treasury_sweepproduct p
     WHERE p.id = o.product_id FOR NO KEY UPDATE;
    SELECT o.amount + coalesce(sum(h.amount), 0) INTO held FROM treasury_sweeporder h
     WHERE h.product_id = o.product_id AND h.id <> o.id AND h.matures_on > o.day
       AND h.settlement <> 'RETURNED' AND (h.state <> 'FAILED' OR h.late_ack_at IS NOT NULL);
    RETURN CASE WHEN held > ceiling THEN held END;
END $$;

CREATE OR REPLACE FUNCTION treasury_guard_sweep_order() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    may_change text[] := ARRAY['state', 'release', 'reason', 'jws', 'key_id', 'intent_id',
        'attempts', 'due_at', 'sent_at', 'acked_at', 'bank_ref', 'failed_at', 'late_ack_at',
        'settlement'];
    signed text;
    fault numeric;
    -- What an order is held against: its decision's record, the product, the agreed line.
    held record;
    said jsonb;
    is_covered boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a sweep order is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'NEW' OR NEW.jws <> '' OR NEW.settlement <> 'PENDING'
           OR NEW.release = 'APPROVED' OR NEW.late_ack_at IS NOT NULL
           OR NEW.payload_sha256 <> encode(sha256(convert_to(NEW.payload, 'UTF8')), 'hex') THEN
            RAISE EXCEPTION 'a sweep order begins as NEW, unsigned'
                USING ERRCODE = 'check_violation';
        END IF;
        -- First what may have to wait for others, so that the rest is read as it is afterwards.
        is_covered := NEW.release <> 'MANDATE' OR treasury_mandate_covers(NEW);
        SELECT d.record, p.code, p.cap, l.id AS line INTO held
          FROM treasury_sweepdecision d
          JOIN treasury_bankaccount a ON a.id = d.account_id AND a.currency = 'USD'
          JOIN treasury_sweepproduct p ON p.code = d.product_code AND p.tenant_id = d.tenant_id
          LEFT JOIN treasury_sweepline l ON l.tenant_id = NEW.tenant_id
           AND l.account_id = NEW.account_id AND l.product_id = NEW.product_id AND l.is_active
         WHERE d.id = NEW.decision_id AND d.result = 'SWEEP' AND d.amount = NEW.amount
           AND d.account_id = NEW.account_id AND p.id = NEW.product_id
           AND d.cutoff_at = NEW.cutoff_at AND d.day = NEW.day;
        said := held.record;
        IF NOT coalesce(
               (said #>> '{{outcome,settles_on}}')::date = NEW.settles_on
               AND (said #>> '{{outcome,matures_on}}')::date = NEW.matures_on
               AND (said #>> '{{outcome,paid_out}}')::numeric = NEW.paid_out
               AND (said #>> '{{outcome,comes_back}}')::numeric = NEW.comes_back
               AND NEW.payload = treasury_sweep_payload(NEW, said, held.code), false)
           -- Mandate, cap and checkers count the amount: no more than that may leave.
           OR NEW.paid_out > NEW.amount
           -- A window is near when it is decided: no mandate is used up ahead of its days.
           OR NEW.cutoff_at <= NEW.created_at
           OR NEW.cutoff_at > NEW.created_at + interval '1 day' THEN
            RAISE EXCEPTION 'a sweep order is what was decided' USING ERRCODE = 'check_violation';
        END IF;
        IF NOT is_covered THEN
            RAISE EXCEPTION 'sweep order % goes beyond its mandate', NEW.order_id
                USING ERRCODE = 'check_violation';
        END IF;
        IF held.cap IS NOT NULL THEN
            fault := treasury_product_over_cap(NEW);
            -- It may have waited for others: the line is asked for as it is now.
            held.line := (SELECT l.id FROM treasury_sweepline l
                           WHERE l.tenant_id = NEW.tenant_id AND l.account_id = NEW.account_id
                             AND l.product_id = NEW.product_id AND l.is_active);
        END IF;
        IF fault IS NOT NULL THEN
            RAISE EXCEPTION 'product % would hold % of ours, above its cap', held.code, fault
                USING ERRCODE = 'check_violation';
        END IF;
        -- Two people said which way an order goes; there is no other.
        IF NEW.line_id IS DISTINCT FROM held.line THEN
            RAISE EXCEPTION 'sweep order % does not go the way that was agreed', NEW.order_id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change
       OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS})) THEN
        RAISE EXCEPTION 'a sweep order does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.release <> OLD.release AND NOT (
        OLD.release = 'WAITING' AND NEW.release = 'APPROVED' AND NEW.state = 'NEW'
        AND approvals_is_approved('treasury.sweep', NEW.id, 1, treasury_sweep_content(NEW))) THEN
        RAISE EXCEPTION 'sweep order % has not been approved by enough people', NEW.order_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.jws <> OLD.jws THEN
        signed := translate(rtrim(replace(encode(
            convert_to(NEW.payload, 'UTF8'), 'base64'), E'\n', ''), '='), '+/', '-_');
        IF OLD.jws <> '' OR NEW.release = 'WAITING' OR NEW.state <> 'NEW'
           OR split_part(NEW.jws, '.', 2) <> signed THEN
            RAISE EXCEPTION 'what is signed is the released order, once'
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.release = 'MANDATE' AND NOT treasury_mandate_covers(NEW) THEN
            RAISE EXCEPTION 'the mandate of sweep order % does not cover it any more', NEW.order_id
                USING ERRCODE = 'check_violation';
        END IF;
        IF treasury_is_frozen() THEN
            RAISE EXCEPTION 'all outflows are stopped' USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.state = 'SENT' AND OLD.state = 'NEW' AND (NEW.jws = '' OR NEW.release = 'WAITING') THEN
        RAISE EXCEPTION 'sweep order % is not signed', NEW.order_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.line_id IS NOT NULL AND NEW.intent_id IS NOT NULL THEN
        RAISE EXCEPTION 'what our own bank pays no connector gets'
            USING ERRCODE = 'check_violation';
    END IF;
    -- Of what our own bank pays, its payment alone says what became of it.
    IF NEW.state <> OLD.state AND NOT coalesce(CASE
        WHEN NEW.line_id IS NULL THEN OLD.state <> 'ACK'
        WHEN NEW.state = 'SENT' THEN treasury_sweep_payment(NEW) NOT IN ('DRAFT', 'PENDING',
            'APPROVED', 'EXPIRED', 'CANCELLED', 'REJECTED')
        WHEN NEW.state = 'ACK' THEN
            treasury_sweep_payment(NEW) IN ('SENT', 'CONFIRMED', 'SETTLED', 'RETURNED')
        ELSE coalesce(treasury_sweep_payment(NEW), 'FAILED') IN (
                'FAILED', 'RETURNED', 'EXPIRED', 'CANCELLED', 'REJECTED') END, false) THEN
        RAISE EXCEPTION 'the payment of sweep order % does not say so', NEW.order_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.settlement, NEW.settlement) NOT IN (
        ('PENDING', 'PENDING'), ('PENDING', 'SETTLED'), ('SETTLED', 'SETTLED'),
        ('SETTLED', 'RETURNED'), ('RETURNED', 'RETURNED')) THEN
        RAISE EXCEPTION 'money of a sweep goes out before it comes back'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_sweeporder;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_sweeporder
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_sweep_order();
"""

SWEEPS = DECISION + QUESTIONS + ORDER
TRIGGERS = {
    "treasury_sweepdecision.guard",
    "treasury_sweepdecision.append_only",
    "treasury_sweepdecision.universe_is_kept",
    "treasury_sweepuniverse.append_only",
    "treasury_sweepuniverse.guard",
    "treasury_sweeporder.guard",
}
