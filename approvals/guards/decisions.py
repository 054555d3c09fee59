"""Whose decision counts, and on what."""

from approvals.guards.path import PATH as _PATH

DECISION_INSERT = f"""
CREATE OR REPLACE FUNCTION approvals_guard_decision() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    parent approvals_approvalrequest%ROWTYPE;
    person core_user%ROWTYPE;
    roles text[];
    step jsonb;
    proxy approvals_delegation%ROWTYPE;
    beyond text;
    proven text;
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
    IF approvals_is_backdated(parent, NEW.decided_at) THEN
        PERFORM approvals_refuse('approvals_decided_in_time',
            'a decision bears the instant at which it was made');
    END IF;
    IF NEW.outcome = 'APPROVE' AND NOT approvals_at_this_level(parent, roles) THEN
        PERFORM approvals_refuse('approvals_level', format(
            'managers approve this from escalation level %s on', parent.managers_from_level));
    END IF;
    NEW.maker_id := parent.maker_id;
    NEW.checker_person := person.person_number;
    NEW.as_role := CASE WHEN 'treasury_manager' = ANY (roles) THEN 'treasury_manager'
                        ELSE 'treasury_checker' END;
    IF NEW.outcome = 'APPROVE' AND approvals_is_above_dual(parent, NEW.decided_at)
       AND NEW.step_up_id IS NULL THEN
        PERFORM approvals_refuse('approvals_stepped_up',
            'above the threshold an approval needs a second factor');
    END IF;
    proven := approvals_proven_content(NEW, parent);
    IF NEW.step_up_id IS NOT NULL
       AND NOT core_step_up_counts(NEW.step_up_id, NEW.checker_id, proven) THEN
        PERFORM approvals_refuse('approvals_stepped_up',
            'the second factor was not shown by this person for this content just now');
    END IF;
    NEW.position := (SELECT count(*) + 1 FROM approvals_decision d WHERE d.request_id = parent.id);
    step := approvals_open_step(parent.id, parent.needs);
    IF NEW.outcome = 'APPROVE' AND NEW.as_role <> 'treasury_manager'
       AND NOT (step ->> 'is_last')::boolean
       AND (step ->> 'missing_managers')::integer >= (step ->> 'missing')::integer THEN
        PERFORM approvals_refuse('approvals_in_turn', 'a manager must approve this step first');
    END IF;
    IF NEW.checker_id = parent.maker_id OR person.person_number = ANY (parent.involved_persons)
       OR EXISTS (SELECT 1 FROM core_user u
                   WHERE u.id = parent.maker_id AND u.person_number = person.person_number) THEN
        PERFORM approvals_refuse('approvals_other_person',
            'who made or triggered it does not check it');
    END IF;
    IF EXISTS (SELECT 1 FROM approvals_linked(person.person_number, parent, NEW.decided_at) l
                WHERE l.is_delegator AND l.other = ANY (parent.involved_persons)) THEN
        PERFORM approvals_refuse('approvals_other_person',
            'who acts for its maker does not check it');
    END IF;
    IF EXISTS (SELECT 1 FROM approvals_linked(person.person_number, parent, NEW.decided_at) l
                 JOIN approvals_decision d ON d.request_id = parent.id
                WHERE l.other IN (d.checker_person, approvals_person(d.on_behalf_of_id))) THEN
        PERFORM approvals_refuse('approvals_one_person',
            'who delegates and who acts for them count as one person');
    END IF;
    NEW.recorded_at := clock_timestamp();
    NEW.on_behalf_of_id := NULL;
    IF NEW.delegation_id IS NOT NULL THEN
        SELECT * INTO proxy FROM approvals_delegations(NEW.decided_at) d
         WHERE d.id = NEW.delegation_id AND d.delegate_id = NEW.checker_id
           AND d.action IN ('', parent.action) AND d.rail IN ('', parent.rail)
           AND approvals_may_check(d.delegator_id)
           AND (d.amount_usd_max IS NULL OR approvals_rule_usd(
                    parent.amount, parent.currency, parent.usd_equivalent, parent.usd_rate_at,
                    NEW.decided_at) <= d.amount_usd_max);
        IF NOT FOUND THEN
            PERFORM approvals_refuse('approvals_delegated',
                'no delegation in force covers this');
        END IF;
        NEW.on_behalf_of_id := proxy.delegator_id;
        IF approvals_person(proxy.delegator_id) = ANY (parent.involved_persons)
           OR EXISTS (SELECT 1 FROM approvals_decision d
                       WHERE d.request_id = parent.id AND approvals_person(proxy.delegator_id)
                             IN (d.checker_person, approvals_person(d.on_behalf_of_id))) THEN
            PERFORM approvals_refuse('approvals_one_person',
                'who delegates has a part in this already');
        END IF;
    END IF;
    IF NEW.outcome <> 'APPROVE' THEN RETURN NEW; END IF;

    beyond := coalesce(
        approvals_beyond_authority(person.person_number, parent, NEW.decided_at),
        approvals_beyond_authority(
            approvals_person(NEW.on_behalf_of_id), parent, NEW.decided_at));
    IF beyond IS NOT NULL THEN
        PERFORM approvals_refuse('approvals_authority', format('beyond the %s', beyond));
    END IF;
    IF EXISTS (SELECT 1 FROM jsonb_array_elements(parent.flags) f
                WHERE (f ->> 'severity' = 'ack' OR NEW.listed_id IS NOT NULL)
                  AND NOT (f ->> 'code') = ANY (NEW.acknowledged)) THEN
        PERFORM approvals_refuse('approvals_acknowledged',
            'a warning was not acknowledged');
    END IF;
    IF parent.break_glass IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM core_stepup s
             WHERE s.id = NEW.step_up_id AND s.method = 'passkey') THEN
        PERFORM approvals_refuse('approvals_break_glass_key',
            'over broken glass an approval needs a passkey');
    END IF;
    RETURN NEW;
END $$;
"""
