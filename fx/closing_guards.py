"""Closing out, cancelling by both sides, and fixing, as the database holds them."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

CLOSING = f"""
-- Whether a deal closes out another one: the other way round, same pair, counterparty and day, and
-- together with the others that do, no more than it.
CREATE OR REPLACE FUNCTION fx_deal_closes(d fx_deal) RETURNS boolean
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    c fx_deal;
BEGIN
    SELECT * INTO c FROM fx_deal WHERE id = d.closes_id FOR UPDATE;
    RETURN c.state IN ('EXECUTED', 'CONFIRMED') AND c.closes_id IS NULL
       AND (c.tenant_id, c.base, c.quote, c.counterparty_id, c.value_date, c.kind)
         = (d.tenant_id, d.base, d.quote, d.counterparty_id, d.value_date, d.kind)
       AND c.side <> d.side AND d.dealt_currency = d.base
       AND d.base_amount + coalesce((
            SELECT sum(o.base_amount) FROM fx_deal o
             WHERE o.closes_id = c.id AND o.id <> d.id
               AND o.state NOT IN ('DRAFT', 'REJECTED', 'EXPIRED', 'CANCELLED')), 0)
         <= c.base_amount;
END $$;

CREATE OR REPLACE FUNCTION fx_cancellation_content(c fx_dealcancellation) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'cancels', d.id, 'reference', d.reference, 'evidence', c.evidence,
        'pair', d.base || '/' || d.quote, 'side', d.side, 'base_amount', d.base_amount::text,
        'quote_amount', d.quote_amount::text, 'rate', d.rate::text, 'value_date', d.value_date,
        'counterparty', d.counterparty_id)
      FROM fx_deal d WHERE d.id = c.deal_id
$$;

-- Whether two people approved, with evidence, that a deal is none, and nothing of it has moved.
CREATE OR REPLACE FUNCTION fx_deal_is_given_up(d fx_deal) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_dealcancellation c
          JOIN approvals_approvalrequest q
            ON q.subject_type = 'fx.cancellation' AND q.subject_id = c.id
         WHERE c.deal_id = d.id AND c.state = 'PENDING'
           AND approvals_is_approved('fx.cancellation', c.id, 1, fx_cancellation_content(c))
           AND 2 <= (SELECT count(DISTINCT a.checker_person) FROM approvals_decision a
                      WHERE a.request_id = q.id AND a.outcome = 'APPROVE'))
       AND NOT EXISTS (SELECT 1 FROM fx_dealleg l
                        WHERE l.deal_id = d.id AND l.state <> 'VOID')
       -- What closes it out would be left alone.
       AND NOT EXISTS (SELECT 1 FROM fx_deal o WHERE o.closes_id = d.id
                        AND o.state NOT IN ('DRAFT', 'REJECTED', 'EXPIRED', 'CANCELLED'))
$$;

CREATE OR REPLACE FUNCTION fx_guard_cancellation() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    d fx_deal;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'what was asked is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO d FROM fx_deal WHERE id = NEW.deal_id;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PENDING' OR d.state NOT IN ('EXECUTED', 'CONFIRMED', 'FAILED') THEN
            RAISE EXCEPTION 'only what was dealt is cancelled by both sides'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - ARRAY['state', 'closed_at'] <> to_jsonb(OLD) - ARRAY['state', 'closed_at']
       OR (OLD.state <> 'PENDING' AND NEW.state <> OLD.state)
       OR (NEW.state = 'DONE' AND d.state <> 'CANCELLED') THEN
        RAISE EXCEPTION 'a cancellation does not change' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_dealcancellation;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_dealcancellation
    FOR EACH ROW EXECUTE FUNCTION fx_guard_cancellation();

CREATE OR REPLACE FUNCTION fx_guard_fixing() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    d fx_deal;
    holds numeric;
    steps text[] := ARRAY['rate', 'said_by', 'from_rate_id', 'entered_by_id', 'entered_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a fixing is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO d FROM fx_deal WHERE id = NEW.deal_id FOR SHARE;
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps OR EXISTS (
        SELECT 1 FROM fx_dealleg l WHERE l.deal_id = NEW.deal_id AND l.state <> 'VOID')) THEN
        RAISE EXCEPTION 'a fixing changes with its day alone, while nothing is to be paid by it'
            USING ERRCODE = 'check_violation';
    END IF;
    IF d.kind IS DISTINCT FROM 'NDF' OR d.base <> 'USD'
       OR d.state <> 'CONFIRMED' OR NEW.fixed_on IS DISTINCT FROM d.fixing_date
       OR (NEW.entered_at AT TIME ZONE 'Asia/Kolkata')::date < d.fixing_date THEN
        RAISE EXCEPTION 'only a non-deliverable deal is fixed, on its fixing date'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.from_rate_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM fx_rate r JOIN fx_ratesource s ON s.id = r.source_id
         WHERE r.id = NEW.from_rate_id AND (r.base, r.quote) = (d.base, d.quote)
           AND s.code = treasury_policy('FX_FIXING_SOURCE', 'FIXING')
           AND (r.as_of AT TIME ZONE 'Asia/Kolkata')::date = d.fixing_date
           AND abs(NEW.rate - (r.bid + r.ask) / 2) <= 0.0001) THEN
        RAISE EXCEPTION 'the fixing is not the rate that it names'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.from_rate_id IS NULL AND (
        NEW.entered_by_id IS NULL OR fx_same_person(NEW.entered_by_id, d.maker_id)
        OR fx_same_person(NEW.entered_by_id, d.executed_by_id)) THEN
        RAISE EXCEPTION 'somebody who did not deal it enters the fixing'
            USING ERRCODE = 'check_violation';
    END IF;
    -- Two at the same instant: the unique key lets one of them in, and the other one is held to it.
    IF TG_OP = 'INSERT' AND NOT EXISTS (
        SELECT 1 FROM fx_dayfixing x
         WHERE x.tenant_id = NEW.tenant_id AND x.fixed_on = NEW.fixed_on
           AND (x.base, x.quote, x.state) = (d.base, d.quote, 'IN_FORCE')) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(
            'fx.fixing:' || NEW.tenant_id || d.base || d.quote || NEW.fixed_on, 0));
        IF NOT EXISTS (
            SELECT 1 FROM fx_dayfixing x
             WHERE x.tenant_id = NEW.tenant_id AND x.fixed_on = NEW.fixed_on
               AND (x.base, x.quote) = (d.base, d.quote)) THEN
            INSERT INTO fx_dayfixing (id, tenant_id, base, quote, fixed_on, version, rate, said_by,
                        from_rate_id, reason, state, entered_by_id, entered_at, note)
            VALUES (gen_random_uuid(), NEW.tenant_id, d.base, d.quote, NEW.fixed_on, 1, NEW.rate,
                    NEW.said_by, NEW.from_rate_id, '', 'IN_FORCE', NEW.entered_by_id,
                    NEW.entered_at, '');
        END IF;
    END IF;
    SELECT x.rate INTO holds FROM fx_dayfixing x
     WHERE x.tenant_id = NEW.tenant_id AND x.fixed_on = NEW.fixed_on
       AND (x.base, x.quote, x.state) = (d.base, d.quote, 'IN_FORCE') FOR SHARE;
    IF holds IS DISTINCT FROM NEW.rate THEN
        RAISE EXCEPTION 'one fixing holds for all deals of a pair and day'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_ndffixing;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_ndffixing
    FOR EACH ROW EXECUTE FUNCTION fx_guard_fixing();
"""
SQL = "SET LOCAL check_function_bodies = false;" + CLOSING
TRIGGERS = frozenset({"fx_dealcancellation.guard", "fx_ndffixing.guard"})
