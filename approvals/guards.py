"""Maker-checker in the database: what even the app role's own SQL cannot do.

Every function names its search path with pg_temp last, so that a temporary table cannot stand in
for a real one. Refusals carry the guard's name as their constraint name.
"""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

AMOUNTS = """
ALTER TABLE approvals_approvalrequest
    ADD CONSTRAINT approval_request_amount_positive
        CHECK (amount > 0 AND amount < 'Infinity'),
    ADD CONSTRAINT approval_request_usd_finite
        CHECK (usd_equivalent IS NULL OR (usd_equivalent >= 0 AND usd_equivalent < 'Infinity')),
    ADD CONSTRAINT approval_request_usd_not_understated
        CHECK (usd_equivalent IS NULL OR (
            usd_rate > 0 AND usd_rate < 'Infinity' AND usd_rate_at IS NOT NULL
            AND usd_equivalent >= amount * usd_rate * 0.999999 - 0.01)),
    ADD CONSTRAINT approval_request_usd_is_usd
        CHECK (currency <> 'USD' OR usd_equivalent >= amount),
    ADD CONSTRAINT approval_request_interval_positive
        CHECK (escalation_interval > interval '0'),
    ADD CONSTRAINT approval_request_cutoff_ahead
        CHECK (cutoff_at IS NULL OR cutoff_at > submitted_at);
ALTER TABLE approvals_approvalrule
    ADD CONSTRAINT approval_rule_amount_finite
        CHECK (amount_above_usd IS NULL
               OR (amount_above_usd >= 0 AND amount_above_usd < 'Infinity'));
"""

# Money is an amount with its currency, or neither; what is not money is worth nothing.
WITHOUT_MONEY = """
ALTER TABLE approvals_approvalrequest
    DROP CONSTRAINT approval_request_amount_positive,
    ADD CONSTRAINT approval_request_amount_positive
        CHECK (CASE WHEN amount IS NULL
                    THEN currency = '' AND usd_equivalent IS NULL AND usd_rate IS NULL
                         AND usd_rate_at IS NULL
                    ELSE amount > 0 AND amount < 'Infinity' AND currency <> '' END);
"""

QUESTIONS = f"""
CREATE OR REPLACE FUNCTION approvals_request_edges() RETURNS TABLE (source text, target text)
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    VALUES ('PENDING', 'APPROVED'), ('PENDING', 'REJECTED'), ('PENDING', 'CANCELLED'),
           ('PENDING', 'EXPIRED'), ('PENDING', 'VOIDED'),
           ('APPROVED', 'CANCELLED'), ('APPROVED', 'EXPIRED'), ('APPROVED', 'VOIDED')
$$;

CREATE OR REPLACE FUNCTION approvals_content_hash(
    tenant uuid, subject_type text, subject_id uuid, version integer, content jsonb) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT encode(sha256(convert_to(
        tenant::text || E'\\n' || subject_type || E'\\n' || subject_id::text || E'\\n'
        || version::text || E'\\n' || content::text, 'UTF8')), 'hex')
$$;

-- The figure that rules compare: unknown (so above every threshold) without a fresh rate,
-- nothing when the request is not about money.
CREATE OR REPLACE FUNCTION approvals_rule_usd(
    amount numeric, currency text, usd numeric, rate_at timestamptz, at timestamptz)
RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN amount IS NULL THEN 0
                WHEN currency = 'USD' THEN amount
                WHEN rate_at IS NULL OR at - rate_at > interval '24 hours'
                     OR rate_at - at > interval '5 minutes' THEN NULL
                ELSE usd END
$$;

-- All rules that fit must be satisfied; without any rule two people must approve.
CREATE OR REPLACE FUNCTION approvals_required(action text, usd numeric, currency text, rail text)
RETURNS integer
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(max(r.required_count), 2)::integer FROM approvals_approvalrule r
     WHERE r.action IN ('', approvals_required.action)
       AND r.currency IN ('', approvals_required.currency)
       AND r.rail IN ('', approvals_required.rail)
       AND (r.amount_above_usd IS NULL OR usd IS NULL OR usd > r.amount_above_usd)
$$;

CREATE OR REPLACE FUNCTION approvals_required_managers(
    action text, usd numeric, currency text, rail text) RETURNS integer
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(max(r.required_count), 0)::integer FROM approvals_approvalrule r
     WHERE r.role = 'treasury_manager'
       AND r.action IN ('', approvals_required_managers.action)
       AND r.currency IN ('', approvals_required_managers.currency)
       AND r.rail IN ('', approvals_required_managers.rail)
       AND (r.amount_above_usd IS NULL OR usd IS NULL OR usd > r.amount_above_usd)
$$;

CREATE OR REPLACE FUNCTION approvals_has_enough(request uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(
           count(DISTINCT d.checker_person) FILTER (WHERE d.outcome = 'APPROVE')
               >= max(q.required_count)
           AND count(DISTINCT d.checker_person)
               FILTER (WHERE d.outcome = 'APPROVE' AND d.as_role = 'treasury_manager')
               >= max(q.required_manager_count)
           AND NOT bool_or(d.outcome = 'REJECT'), false)
      FROM approvals_approvalrequest q
      JOIN approvals_decision d ON d.request_id = q.id AND d.content_hash = q.content_hash
     WHERE q.id = request
$$;

-- For other rooms' guards: whether exactly this content of this version was approved.
CREATE OR REPLACE FUNCTION approvals_is_approved(
    subject_type text, subject_id uuid, version integer, content jsonb) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM approvals_approvalrequest q
         WHERE q.subject_type = approvals_is_approved.subject_type
           AND q.subject_id = approvals_is_approved.subject_id
           AND q.subject_version = approvals_is_approved.version
           AND q.state = 'APPROVED'
           AND q.content = approvals_is_approved.content
           AND approvals_has_enough(q.id))
$$;

CREATE OR REPLACE FUNCTION approvals_refuse(guard text, message text) RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'check_violation', CONSTRAINT = guard;
END $$;

-- Under a frozen snapshot a guard could miss a decision that was committed meanwhile.
CREATE OR REPLACE FUNCTION approvals_require_fresh_snapshot() RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM approvals_refuse('approvals_isolation',
            'approvals are written in READ COMMITTED only');
    END IF;
END $$;
"""

REQUEST_INSERT = f"""
CREATE OR REPLACE FUNCTION approvals_guard_request_insert() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    actor text := coalesce(nullif(current_setting('app.actor', true), ''), 'unknown');
    rule_usd numeric;
BEGIN
    PERFORM approvals_require_fresh_snapshot();
    IF NEW.state <> 'PENDING' OR NEW.decided_at IS NOT NULL OR NEW.escalation_level <> 0 THEN
        PERFORM approvals_refuse('approvals_born_pending', 'a request is born pending');
    END IF;
    IF EXISTS (SELECT 1 FROM approvals_approvalrequest q
                WHERE q.tenant_id = NEW.tenant_id AND q.subject_type = NEW.subject_type
                  AND q.subject_id = NEW.subject_id
                  AND q.subject_version >= NEW.subject_version) THEN
        PERFORM approvals_refuse('approvals_version_rises',
            'this or a later version was submitted before');
    END IF;
    IF NEW.maker_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM core_user u WHERE u.id = NEW.maker_id) THEN
        PERFORM approvals_refuse('approvals_maker_known', 'the maker is nobody of this tenant');
    END IF;
    NEW.content_hash := approvals_content_hash(
        NEW.tenant_id, NEW.subject_type, NEW.subject_id, NEW.subject_version, NEW.content);
    NEW.submitted_by := actor;
    -- Who triggered the submission counts as its maker, whatever the row says.
    NEW.involved_persons := ARRAY(
        SELECT unnest(NEW.involved_persons)
        UNION
        SELECT u.person_number FROM core_user u WHERE u.id = NEW.maker_id OR u.id::text = actor
        ORDER BY 1);
    rule_usd := approvals_rule_usd(
        NEW.amount, NEW.currency, NEW.usd_equivalent, NEW.usd_rate_at, NEW.submitted_at);
    NEW.required_count := greatest(
        NEW.required_count, approvals_required(NEW.action, rule_usd, NEW.currency, NEW.rail));
    NEW.required_manager_count := greatest(
        NEW.required_manager_count,
        approvals_required_managers(NEW.action, rule_usd, NEW.currency, NEW.rail));
    RETURN NEW;
END $$;
"""

REQUEST_UPDATE = f"""
CREATE OR REPLACE FUNCTION approvals_guard_request_update() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    may_change text[] := ARRAY['state', 'decided_at', 'reason'];
    rule_usd numeric;
    approvals integer;
    managers integer;
BEGIN
    PERFORM approvals_require_fresh_snapshot();
    IF OLD.state = 'PENDING' THEN
        may_change := may_change || ARRAY[
            'escalation_level', 'next_escalation_at', 'required_count', 'required_manager_count',
            'usd_equivalent', 'usd_rate', 'usd_rate_at'];
    ELSIF NEW.state = OLD.state AND NEW IS DISTINCT FROM OLD THEN
        PERFORM approvals_refuse('approvals_closed_is_closed',
            'a closed request does not change');
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change THEN
        PERFORM approvals_refuse('approvals_frozen',
            'what was submitted does not change: submit a new version');
    END IF;
    IF NEW.required_count < OLD.required_count
       OR NEW.required_manager_count < OLD.required_manager_count
       OR NEW.escalation_level < OLD.escalation_level
       OR (OLD.usd_equivalent IS NOT NULL
           AND (NEW.usd_equivalent IS NULL OR NEW.usd_equivalent < OLD.usd_equivalent))
       OR (OLD.usd_rate_at IS NOT NULL
           AND (NEW.usd_rate_at IS NULL OR NEW.usd_rate_at < OLD.usd_rate_at)) THEN
        PERFORM approvals_refuse('approvals_only_up',
            'requirement, amount and escalation only rise');
    END IF;
    IF NEW.state = OLD.state THEN RETURN NEW; END IF;

    IF NOT EXISTS (SELECT 1 FROM approvals_request_edges() e
                    WHERE e.source = OLD.state AND e.target = NEW.state) THEN
        PERFORM approvals_refuse('approvals_edges',
            format('%s does not lead to %s', OLD.state, NEW.state));
    END IF;
    IF NEW.decided_at IS NULL OR NEW.decided_at < OLD.submitted_at THEN
        PERFORM approvals_refuse('approvals_closed_in_time',
            'a request closes at an instant after its submission');
    END IF;
    IF NEW.state = 'EXPIRED' AND (OLD.cutoff_at IS NULL OR NEW.decided_at < OLD.cutoff_at) THEN
        PERFORM approvals_refuse('approvals_expires_at_cutoff',
            'a request expires at its cut-off only');
    END IF;
    IF NEW.state = 'REJECTED' AND NOT EXISTS (
            SELECT 1 FROM approvals_decision d
             WHERE d.request_id = OLD.id AND d.outcome = 'REJECT') THEN
        PERFORM approvals_refuse('approvals_rejected_by_somebody',
            'nobody rejected this request');
    END IF;
    IF NEW.state <> 'APPROVED' THEN RETURN NEW; END IF;

    IF OLD.cutoff_at IS NOT NULL AND NEW.decided_at >= OLD.cutoff_at THEN
        PERFORM approvals_refuse('approvals_before_cutoff', 'the cut-off has passed');
    END IF;
    rule_usd := approvals_rule_usd(
        NEW.amount, NEW.currency, NEW.usd_equivalent, NEW.usd_rate_at, NEW.decided_at);
    NEW.required_count := greatest(
        NEW.required_count, approvals_required(NEW.action, rule_usd, NEW.currency, NEW.rail));
    NEW.required_manager_count := greatest(
        NEW.required_manager_count,
        approvals_required_managers(NEW.action, rule_usd, NEW.currency, NEW.rail));
    SELECT count(DISTINCT d.checker_person),
           count(DISTINCT d.checker_person) FILTER (WHERE d.as_role = 'treasury_manager')
      INTO approvals, managers
      FROM approvals_decision d
     WHERE d.request_id = OLD.id AND d.content_hash = OLD.content_hash AND d.outcome = 'APPROVE';
    IF approvals < NEW.required_count OR managers < NEW.required_manager_count
       OR EXISTS (SELECT 1 FROM approvals_decision d
                   WHERE d.request_id = OLD.id AND d.outcome = 'REJECT') THEN
        PERFORM approvals_refuse('approvals_enough_people', format(
            '%s of %s approvals (%s of %s by managers) and no rejection are needed',
            approvals, NEW.required_count, managers, NEW.required_manager_count));
    END IF;
    RETURN NEW;
END $$;
"""

DECISION_INSERT = f"""
CREATE OR REPLACE FUNCTION approvals_guard_decision() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    parent approvals_approvalrequest%ROWTYPE;
    person core_user%ROWTYPE;
    roles text[];
BEGIN
    PERFORM approvals_require_fresh_snapshot();
    SELECT * INTO parent FROM approvals_approvalrequest q WHERE q.id = NEW.request_id FOR UPDATE;
    IF NOT FOUND OR parent.state <> 'PENDING' THEN
        PERFORM approvals_refuse('approvals_decides_pending',
            'only a pending request can be decided');
    END IF;
    IF NEW.content_hash IS DISTINCT FROM parent.content_hash THEN
        PERFORM approvals_refuse('approvals_bound_to_content',
            'the decision is about another content');
    END IF;
    IF NEW.checker_id::text IS DISTINCT FROM current_setting('app.actor', true) THEN
        PERFORM approvals_refuse('approvals_own_hand',
            'nobody records a decision for somebody else');
    END IF;
    SELECT * INTO person FROM core_user u WHERE u.id = NEW.checker_id FOR SHARE;
    SELECT array_agg(g.name::text) INTO roles
      FROM core_user_groups m JOIN auth_group g ON g.id = m.group_id
     WHERE m.user_id = NEW.checker_id AND g.name IN ('treasury_checker', 'treasury_manager');
    IF person.id IS NULL OR NOT person.is_active OR person.is_service OR roles IS NULL THEN
        PERFORM approvals_refuse('approvals_may_check', 'this account may not check');
    END IF;
    NEW.maker_id := parent.maker_id;
    NEW.checker_person := person.person_number;
    NEW.as_role := CASE WHEN 'treasury_manager' = ANY (roles) THEN 'treasury_manager'
                        ELSE 'treasury_checker' END;
    IF NEW.checker_id = parent.maker_id OR person.person_number = ANY (parent.involved_persons)
       OR EXISTS (SELECT 1 FROM core_user u
                   WHERE u.id = parent.maker_id AND u.person_number = person.person_number) THEN
        PERFORM approvals_refuse('approvals_other_person',
            'who made or triggered it does not check it');
    END IF;
    RETURN NEW;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request_update();
CREATE TRIGGER guard_delete BEFORE DELETE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION core_refuse_change();
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_decision
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_decision();
REVOKE DELETE, TRUNCATE ON approvals_approvalrequest FROM tms_app;
"""

# Bodies are read when they run: a migration may install them before the last column is there.
FUNCTIONS = f"""SET LOCAL check_function_bodies = off;
{QUESTIONS}
{REQUEST_INSERT}
{REQUEST_UPDATE}
{DECISION_INSERT}"""

ALL = f"""{AMOUNTS}
{FUNCTIONS}
{TRIGGERS}"""
