"""Who acts for whom, and up to which amount: what counts was approved by a manager."""

from approvals.guards.path import PATH as _PATH

# Questions of authority; the guards of decisions and the desk ask the same ones.
AUTHORITY = f"""
-- Whether exactly this control was approved: by a manager, and by none of these persons.
CREATE OR REPLACE FUNCTION approvals_control_approved(
    subject_type text, subject_id uuid, content jsonb, persons text[]) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM approvals_approvalrequest q
         WHERE q.subject_type = approvals_control_approved.subject_type
           AND q.subject_id = approvals_control_approved.subject_id
           AND q.action = 'control' AND q.state = 'APPROVED'
           AND q.content = approvals_control_approved.content
           AND approvals_has_enough(q.id)
           AND EXISTS (SELECT 1 FROM approvals_decision d
                        WHERE d.request_id = q.id AND d.as_role = 'treasury_manager')
           AND NOT EXISTS (SELECT 1 FROM approvals_decision d
                            WHERE d.request_id = q.id AND d.checker_person = ANY (persons)))
$$;

CREATE OR REPLACE FUNCTION approvals_person(p_user uuid) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT u.person_number::text FROM core_user u WHERE u.id = p_user
$$;

CREATE OR REPLACE FUNCTION approvals_delegation_content(d approvals_delegation) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'delegator', d.delegator_id::text, 'delegate', d.delegate_id::text, 'action', d.action,
        'rail', d.rail, 'amount_usd_max', d.amount_usd_max::text,
        'starts_at', to_char(d.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ends_at', to_char(d.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'reason', d.reason)
$$;

CREATE OR REPLACE FUNCTION approvals_limit_content(l approvals_authoritylimit) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'person', l.person_id::text, 'per_transaction_usd', l.per_transaction_usd::text,
        'per_day_usd', l.per_day_usd::text, 'reason', l.reason)
$$;

-- Delegations in force at an instant.
CREATE OR REPLACE FUNCTION approvals_delegations(at timestamptz)
RETURNS SETOF approvals_delegation
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT d.* FROM approvals_delegation d
     WHERE d.starts_at <= at AND at < d.ends_at AND (d.revoked_at IS NULL OR at < d.revoked_at)
       AND approvals_control_approved(
               'approvals.delegation', d.id, approvals_delegation_content(d),
               ARRAY[approvals_person(d.delegator_id), approvals_person(d.delegate_id)])
$$;

-- Persons that count as one with this one, at the stated instant or at the real one.
CREATE OR REPLACE FUNCTION approvals_linked(
    person text, request approvals_approvalrequest, at timestamptz)
RETURNS TABLE (other text, is_delegator boolean)
LANGUAGE sql STABLE {_PATH} AS $$
    WITH found AS (SELECT * FROM approvals_delegations(at)
                   UNION SELECT * FROM approvals_delegations(clock_timestamp()))
    SELECT approvals_person(d.delegator_id), true FROM found d
     WHERE approvals_person(d.delegate_id) = person
       AND d.action IN ('', request.action) AND d.rail IN ('', request.rail)
    UNION
    SELECT approvals_person(d.delegate_id), false FROM found d
     WHERE approvals_person(d.delegator_id) = person
       AND d.action IN ('', request.action) AND d.rail IN ('', request.rail)
$$;

-- What stands against this person's approval of this amount; NULL when nothing does.
CREATE OR REPLACE FUNCTION approvals_beyond_authority(
    who text, request approvals_approvalrequest, at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    figure numeric := approvals_rule_usd(request.amount, request.currency,
        request.usd_equivalent, request.usd_rate_at, at);
    per_transaction numeric;
    per_day numeric;
    today numeric;
BEGIN
    IF request.amount IS NULL OR request.break_glass IS NOT NULL THEN RETURN NULL; END IF;
    SELECT min(l.per_transaction_usd), min(l.per_day_usd) INTO per_transaction, per_day
      FROM (SELECT DISTINCT ON (l.person_id) l.* FROM approvals_authoritylimit l
             WHERE approvals_person(l.person_id) = who
               AND approvals_control_approved(
                       'approvals.authority_limit', l.id, approvals_limit_content(l),
                       ARRAY[who])
             ORDER BY l.person_id, l.created_at DESC, l.id DESC) l;
    IF per_transaction IS NULL AND per_day IS NULL THEN RETURN NULL; END IF;
    IF figure IS NULL THEN RETURN 'worth that nobody knows'; END IF;
    IF figure > per_transaction THEN RETURN 'limit per transaction'; END IF;
    SELECT coalesce(sum(q.usd_equivalent), 0) INTO today
      FROM approvals_decision d JOIN approvals_approvalrequest q ON q.id = d.request_id
     WHERE who IN (d.checker_person, approvals_person(d.on_behalf_of_id))
       AND d.outcome = 'APPROVE' AND d.recorded_at > clock_timestamp() - interval '24 hours';
    IF today + figure > per_day THEN RETURN 'limit of a day'; END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION approvals_guard_delegation() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    people text[] := ARRAY[approvals_person(NEW.delegator_id), approvals_person(NEW.delegate_id)];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
           OR to_jsonb(NEW) - 'revoked_at' IS DISTINCT FROM to_jsonb(OLD) - 'revoked_at' THEN
            PERFORM approvals_refuse('approvals_delegation_frozen',
                'a delegation is only ever revoked');
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.delegator_id::text IS DISTINCT FROM current_setting('app.actor', true) THEN
        PERFORM approvals_refuse('approvals_delegation_own', 'people delegate for themselves');
    END IF;
    IF NEW.ends_at - NEW.starts_at > interval '14 days' OR NEW.revoked_at IS NOT NULL THEN
        PERFORM approvals_refuse('approvals_delegation_short',
            'a delegation lasts fourteen days at most');
    END IF;
    IF people[1] = people[2] OR NOT approvals_may_check(NEW.delegator_id)
       OR NOT approvals_may_check(NEW.delegate_id) THEN
        PERFORM approvals_refuse('approvals_delegation_to_checker',
            'a checker delegates to another person who checks');
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('approvals_delegation' || NEW.tenant_id::text));
    IF EXISTS (SELECT 1 FROM approvals_delegation d
                WHERE d.revoked_at IS NULL AND d.starts_at < NEW.ends_at
                  AND NEW.starts_at < d.ends_at
                  AND (approvals_person(d.delegate_id) = people[1]
                       OR approvals_person(d.delegator_id) = people[2])) THEN
        PERFORM approvals_refuse('approvals_delegation_once',
            'what was delegated is not delegated again');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION approvals_may_check(p_user uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM core_user u JOIN core_user_groups m ON m.user_id = u.id
          JOIN auth_group g ON g.id = m.group_id
         WHERE u.id = p_user AND u.is_active AND NOT u.is_service
           AND g.name IN ('treasury_checker', 'treasury_manager'))
$$;

CREATE OR REPLACE FUNCTION approvals_guard_viewing() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NEW.viewer_id::text IS DISTINCT FROM current_setting('app.actor', true)
       OR NOT EXISTS (SELECT 1 FROM approvals_approvalrequest q
                       WHERE q.id = NEW.request_id AND q.content_hash = NEW.content_hash) THEN
        PERFORM approvals_refuse('approvals_own_eyes', 'people look with their own eyes');
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION approvals_guard_review() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    parent approvals_approvalrequest%ROWTYPE;
    person text := approvals_person(NEW.closed_by_id);
BEGIN
    SELECT * INTO parent FROM approvals_approvalrequest q WHERE q.id = NEW.request_id;
    IF TG_OP = 'INSERT' THEN
        IF parent.break_glass IS NULL OR NEW.closed_at IS NOT NULL OR pg_trigger_depth() < 2 THEN
            PERFORM approvals_refuse('approvals_review_born',
                'a review begins open, with its approval');
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
       OR to_jsonb(NEW) - ARRAY['closed_at', 'closed_by_id', 'findings']
          IS DISTINCT FROM to_jsonb(OLD) - ARRAY['closed_at', 'closed_by_id', 'findings'] THEN
        PERFORM approvals_refuse('approvals_review_frozen', 'a review is closed once');
    END IF;
    IF NEW.closed_by_id::text IS DISTINCT FROM current_setting('app.actor', true)
       OR person = ANY (parent.involved_persons)
       OR EXISTS (SELECT 1 FROM approvals_decision d
                   WHERE d.request_id = parent.id
                     AND person IN (d.checker_person, approvals_person(d.on_behalf_of_id))) THEN
        PERFORM approvals_refuse('approvals_review_other_person',
            'somebody else reviews what was done over broken glass');
    END IF;
    RETURN NEW;
END $$;
"""

AUTHORITY_TRIGGERS = """
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_delegation
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_delegation();
CREATE TRIGGER guard_update BEFORE UPDATE ON approvals_delegation
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_delegation();
CREATE TRIGGER guard_delete BEFORE DELETE ON approvals_delegation
    FOR EACH ROW EXECUTE FUNCTION core_refuse_change();
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_viewing
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_viewing();
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_breakglassreview
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_review();
CREATE TRIGGER guard_update BEFORE UPDATE ON approvals_breakglassreview
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_review();
CREATE TRIGGER guard_delete BEFORE DELETE ON approvals_breakglassreview
    FOR EACH ROW EXECUTE FUNCTION core_refuse_change();
REVOKE DELETE, TRUNCATE ON approvals_delegation, approvals_breakglassreview FROM tms_app;
"""
