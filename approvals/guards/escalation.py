"""Who may approve at which level of escalation, and when a level is reached.

A level only adds people, and only payments know levels: what a rule asks a manager for, what is no
money and what goes over broken glass is open to managers at once.
"""

from approvals.guards.path import PATH as _PATH

ESCALATION = f"""
-- From which level of escalation on managers may approve a request beside its checkers.
CREATE OR REPLACE FUNCTION approvals_managers_from(request approvals_approvalrequest)
RETURNS integer
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN request.amount IS NULL OR request.required_manager_count > 0
                     OR request.break_glass IS NOT NULL THEN 0
                ELSE approvals_policy('MANAGERS_APPROVE_FROM_LEVEL', '1')::integer END
$$;

-- Whose approvals count at each level, as it is frozen on a request.
CREATE OR REPLACE FUNCTION approvals_deciders(managers_from integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT jsonb_agg(CASE WHEN level < managers_from THEN '["treasury_checker"]'::jsonb
                          ELSE '["treasury_checker", "treasury_manager"]'::jsonb END
                     ORDER BY level)
      FROM generate_series(0, 3) AS level
$$;

-- A requirement that rose meanwhile may ask for a manager: then managers need not wait.
CREATE OR REPLACE FUNCTION approvals_at_this_level(
    request approvals_approvalrequest, roles text[]) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT 'treasury_checker' = ANY (roles)
        OR 'treasury_manager' = ANY (roles)
           AND (request.managers_from_level <= request.escalation_level
                OR request.required_manager_count > 0)
$$;

-- Nobody raises a level by hand, and no level comes before its time.
CREATE OR REPLACE FUNCTION approvals_require_escalation(request approvals_approvalrequest)
RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM core_user u
                WHERE u.id::text = current_setting('app.actor', true)) THEN
        PERFORM approvals_refuse('approvals_escalates_by_itself',
            'no person escalates a request');
    END IF;
    IF request.escalated_at IS NULL
       OR request.escalated_at < request.submitted_at
                                 + request.escalation_level * request.escalation_interval THEN
        PERFORM approvals_refuse('approvals_escalates_in_time',
            format('level %s is not reached yet', request.escalation_level));
    END IF;
END $$;

-- The application's clock may run ahead of the database's (a demo moves it forward), never behind
-- it: as much time has passed since the submission as the database itself has counted.
CREATE OR REPLACE FUNCTION approvals_is_backdated(
    request approvals_approvalrequest, at timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE {_PATH} AS $$
    SELECT coalesce(at < request.submitted_at
                         + (clock_timestamp() - coalesce(request.recorded_at, request.submitted_at))
                         - interval '1 hour', true)
$$;
"""
