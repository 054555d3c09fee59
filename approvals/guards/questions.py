"""Questions that the guards, and other rooms' guards, ask of the database."""

from approvals.guards.path import PATH as _PATH

QUESTIONS = f"""
CREATE OR REPLACE FUNCTION approvals_request_edges() RETURNS TABLE (source text, target text)
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    VALUES ('PENDING', 'APPROVED'), ('PENDING', 'REJECTED'), ('PENDING', 'CANCELLED'),
           ('PENDING', 'EXPIRED'), ('PENDING', 'VOIDED'), ('PENDING', 'RETURNED'),
           ('APPROVED', 'CANCELLED'), ('APPROVED', 'EXPIRED'), ('APPROVED', 'VOIDED')
$$;

CREATE OR REPLACE FUNCTION approvals_content_hash(
    tenant uuid, subject_type text, subject_id uuid, version integer, content jsonb) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT encode(sha256(convert_to(
        tenant::text || E'\\n' || subject_type || E'\\n' || subject_id::text || E'\\n'
        || version::text || E'\\n' || content::text, 'UTF8')), 'hex')
$$;

-- A policy as it is in force; its default where the tenant never changed it.
CREATE OR REPLACE FUNCTION approvals_policy(name text, standard text) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce((SELECT v.value #>> '{{}}' FROM core_policyversion v WHERE v.key = name
                      ORDER BY v.version DESC LIMIT 1), standard)
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

-- Strictly above this the database itself asks for more; a policy can lower it only.
CREATE OR REPLACE FUNCTION approvals_dual_threshold() RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT least(10000000, (
        SELECT (p.value #>> '{{}}')::numeric FROM core_policyversion p
         WHERE p.key = 'DUAL_CHECKER_THRESHOLD_USD' ORDER BY p.version DESC LIMIT 1))
$$;

CREATE OR REPLACE FUNCTION approvals_is_above_dual(
    request approvals_approvalrequest, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(approvals_rule_usd(
        request.amount, request.currency, request.usd_equivalent, request.usd_rate_at, at)
        > approvals_dual_threshold(), true)
$$;

-- The rules that fit an amount (unknown: every threshold is passed).
CREATE OR REPLACE FUNCTION approvals_matching(
    action text, usd numeric, currency text, rail text, entity uuid)
RETURNS SETOF approvals_approvalrule
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT r.* FROM approvals_approvalrule r
     WHERE r.action IN ('', approvals_matching.action)
       AND r.currency IN ('', approvals_matching.currency)
       AND r.rail IN ('', approvals_matching.rail)
       AND (r.entity IS NULL OR r.entity = approvals_matching.entity)
       AND (r.amount_above_usd IS NULL OR usd IS NULL OR usd > r.amount_above_usd)
$$;

-- The same in full, as it is frozen on a request.
CREATE OR REPLACE FUNCTION approvals_matching_rules(
    action text, usd numeric, currency text, rail text, entity uuid) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'rule', r.id, 'action', r.action, 'amount_above_usd', r.amount_above_usd::text,
               'currency', r.currency, 'rail', r.rail, 'entity', r.entity, 'step', r.step,
               'role', r.role, 'required_count', r.required_count) ORDER BY r.step, r.id), '[]')
      FROM approvals_matching(action, usd, currency, rail, entity) r
$$;

-- What is needed, step by step: within a step the greatest count per role over the rules that
-- fit, all steps one after the other. Without any rule two people must approve.
CREATE OR REPLACE FUNCTION approvals_needs(
    action text, usd numeric, currency text, rail text, entity uuid) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(
        jsonb_agg(jsonb_build_object('step', s.step, 'count', s.count,
                                     'manager_count', s.manager_count) ORDER BY s.step),
        jsonb_build_array(jsonb_build_object('step', 1, 'count', 2, 'manager_count', 0)))
      FROM (SELECT r.step, max(r.required_count) AS count,
                   coalesce(max(r.required_count) FILTER (WHERE r.role = 'treasury_manager'), 0)
                       AS manager_count
              FROM approvals_matching(action, usd, currency, rail, entity) r
             GROUP BY r.step) s
$$;

-- The greater of two needs, step by step: a requirement only rises.
CREATE OR REPLACE FUNCTION approvals_risen(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('step', s.step, 'count', s.count,
                                                 'manager_count', s.manager_count)
                              ORDER BY s.step), '[]')
      FROM (SELECT (n ->> 'step')::integer AS step, max((n ->> 'count')::integer) AS count,
                   max((n ->> 'manager_count')::integer) AS manager_count
              FROM jsonb_array_elements(one || other) n
             GROUP BY 1) s
$$;

CREATE OR REPLACE FUNCTION approvals_total(needs jsonb, what text) RETURNS integer
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT coalesce(sum((n ->> what)::integer), 0)::integer FROM jsonb_array_elements(needs) n
$$;

CREATE OR REPLACE FUNCTION approvals_required(
    action text, usd numeric, currency text, rail text, entity uuid) RETURNS integer
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT approvals_total(approvals_needs(action, usd, currency, rail, entity), 'count')
$$;

-- For guards that know no entity: rules of an entity then do not fit.
CREATE OR REPLACE FUNCTION approvals_required(action text, usd numeric, currency text, rail text)
RETURNS integer
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT approvals_required(action, usd, currency, rail, NULL::uuid)
$$;

-- The first step that the approvals so far do not satisfy, with what it lacks; NULL: none.
-- Approvals are read in the order in which they were given, so that a later step begins
-- only when the earlier one is satisfied.
CREATE OR REPLACE FUNCTION approvals_open_step(request uuid, needs jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    given record;
    at integer := 0;
    people integer := 0;
    managers integer := 0;
BEGIN
    FOR given IN
        SELECT d.as_role FROM approvals_decision d JOIN approvals_approvalrequest q
            ON q.id = d.request_id AND q.content_hash = d.content_hash
         WHERE d.request_id = request AND d.outcome = 'APPROVE'
         ORDER BY d.position, d.id
    LOOP
        EXIT WHEN needs -> at IS NULL;
        people := people + 1;
        managers := managers + (given.as_role = 'treasury_manager')::integer;
        IF people >= (needs -> at ->> 'count')::integer
           AND managers >= (needs -> at ->> 'manager_count')::integer THEN
            at := at + 1;
            people := 0;
            managers := 0;
        END IF;
    END LOOP;
    IF needs -> at IS NULL THEN RETURN NULL; END IF;
    RETURN jsonb_build_object(
        'step', needs -> at -> 'step',
        'is_last', needs -> (at + 1) IS NULL,
        'missing_managers', greatest((needs -> at ->> 'manager_count')::integer - managers, 0),
        'missing', greatest((needs -> at ->> 'count')::integer - people,
                            (needs -> at ->> 'manager_count')::integer - managers));
END $$;

CREATE OR REPLACE FUNCTION approvals_has_enough(request uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce((
        SELECT count(DISTINCT d.checker_person) >= q.required_count
               AND count(DISTINCT d.checker_person)
                   FILTER (WHERE d.as_role = 'treasury_manager') >= q.required_manager_count
               AND bool_and(d.outcome = 'APPROVE')
               AND approvals_open_step(q.id, q.needs) IS NULL
          FROM approvals_approvalrequest q
          JOIN approvals_decision d ON d.request_id = q.id AND d.content_hash = q.content_hash
         WHERE q.id = request
         GROUP BY q.id), false)
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
