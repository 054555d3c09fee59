"""A request is born pending, does not change, and closes only as people decided."""

from approvals.guards.path import PATH as _PATH

REQUEST_INSERT = f"""
CREATE OR REPLACE FUNCTION approvals_guard_request_insert() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    actor text := coalesce(nullif(current_setting('app.actor', true), ''), 'unknown');
    rule_usd numeric;
    beyond text;
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
    NEW.recorded_at := clock_timestamp();
    -- Who triggered the submission counts as its maker, whatever the row says.
    NEW.involved_persons := ARRAY(
        SELECT unnest(NEW.involved_persons)
        UNION
        SELECT u.person_number FROM core_user u WHERE u.id = NEW.maker_id OR u.id::text = actor
        ORDER BY 1);
    rule_usd := approvals_rule_usd(
        NEW.amount, NEW.currency, NEW.usd_equivalent, NEW.usd_rate_at, NEW.submitted_at);
    NEW.needs := approvals_risen(NEW.needs, approvals_needs(
        NEW.action, rule_usd, NEW.currency, NEW.rail, NEW.entity));
    IF NEW.break_glass IS NOT NULL THEN
        IF coalesce(NEW.break_glass ->> 'incident', '') = ''
           OR coalesce(NEW.break_glass ->> 'reason', '') NOT IN
              ('rail_outage', 'approvers_unreachable', 'systemic') THEN
            PERFORM approvals_refuse('approvals_break_glass_reason',
                'glass is broken for a known reason and an incident');
        END IF;
        beyond := approvals_glass_refuses(rule_usd);
        IF beyond IS NOT NULL THEN
            PERFORM approvals_refuse('approvals_break_glass_limits',
                format('broken glass does not let this through: %s', beyond));
        END IF;
        IF approvals_total(NEW.needs, 'count') < 2 THEN
            NEW.needs := approvals_risen(NEW.needs, jsonb_build_array(jsonb_build_object(
                'step', NEW.needs -> 0 -> 'step', 'count', 2, 'manager_count', 0)));
        END IF;
    END IF;
    NEW.required_count := greatest(NEW.required_count, approvals_total(NEW.needs, 'count'));
    NEW.required_manager_count := greatest(
        NEW.required_manager_count, approvals_total(NEW.needs, 'manager_count'));
    NEW.managers_from_level := approvals_managers_from(NEW);
    NEW.policy_snapshot := NEW.policy_snapshot || jsonb_build_object(
        'deciders', approvals_deciders(NEW.managers_from_level),
        'rules', approvals_matching_rules(
            NEW.action, rule_usd, NEW.currency, NEW.rail, NEW.entity));
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
            'escalation_level', 'escalated_at', 'next_escalation_at', 'needs', 'required_count',
            'required_manager_count', 'usd_equivalent', 'usd_rate', 'usd_rate_at'];
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
       OR approvals_risen(OLD.needs, NEW.needs) IS DISTINCT FROM NEW.needs
       OR NEW.escalation_level < OLD.escalation_level
       OR (OLD.usd_equivalent IS NOT NULL
           AND (NEW.usd_equivalent IS NULL OR NEW.usd_equivalent < OLD.usd_equivalent))
       OR (OLD.usd_rate_at IS NOT NULL
           AND (NEW.usd_rate_at IS NULL OR NEW.usd_rate_at < OLD.usd_rate_at)) THEN
        PERFORM approvals_refuse('approvals_only_up',
            'requirement, amount and escalation only rise');
    END IF;
    IF NEW.escalation_level > OLD.escalation_level THEN
        PERFORM approvals_require_escalation(NEW);
    ELSIF NEW.escalated_at IS DISTINCT FROM OLD.escalated_at THEN
        PERFORM approvals_refuse('approvals_frozen', 'nothing escalated');
    END IF;
    IF NEW.state = OLD.state THEN RETURN NEW; END IF;

    IF NOT EXISTS (SELECT 1 FROM approvals_request_edges() e
                    WHERE e.source = OLD.state AND e.target = NEW.state) THEN
        PERFORM approvals_refuse('approvals_edges',
            format('%s does not lead to %s', OLD.state, NEW.state));
    END IF;
    IF NEW.decided_at IS NULL OR NEW.decided_at < OLD.submitted_at
       OR approvals_is_backdated(OLD, NEW.decided_at) THEN
        PERFORM approvals_refuse('approvals_closed_in_time',
            'a request closes after its submission, at the instant at which it closes');
    END IF;
    IF NEW.state = 'EXPIRED' AND (OLD.cutoff_at IS NULL OR NEW.decided_at < OLD.cutoff_at) THEN
        PERFORM approvals_refuse('approvals_expires_at_cutoff',
            'a request expires at its cut-off only');
    END IF;
    IF NEW.state IN ('REJECTED', 'RETURNED') AND NOT EXISTS (
            SELECT 1 FROM approvals_decision d
             WHERE d.request_id = OLD.id
               AND d.outcome = CASE NEW.state WHEN 'REJECTED' THEN 'REJECT'
                                              ELSE 'CHANGES' END) THEN
        PERFORM approvals_refuse('approvals_rejected_by_somebody',
            'nobody rejected this request, or asked for changes');
    END IF;
    IF NEW.state <> 'APPROVED' THEN RETURN NEW; END IF;

    IF OLD.cutoff_at IS NOT NULL AND NEW.decided_at >= OLD.cutoff_at THEN
        PERFORM approvals_refuse('approvals_before_cutoff', 'the cut-off has passed');
    END IF;
    rule_usd := approvals_rule_usd(
        NEW.amount, NEW.currency, NEW.usd_equivalent, NEW.usd_rate_at, NEW.decided_at);
    NEW.needs := approvals_risen(NEW.needs, approvals_needs(
        NEW.action, rule_usd, NEW.currency, NEW.rail, NEW.entity));
    NEW.required_count := greatest(NEW.required_count, approvals_total(NEW.needs, 'count'));
    NEW.required_manager_count := greatest(
        NEW.required_manager_count, approvals_total(NEW.needs, 'manager_count'));
    SELECT count(DISTINCT d.checker_person),
           count(DISTINCT d.checker_person) FILTER (WHERE d.as_role = 'treasury_manager')
      INTO approvals, managers
      FROM approvals_decision d
     WHERE d.request_id = OLD.id AND d.content_hash = OLD.content_hash AND d.outcome = 'APPROVE';
    IF approvals < NEW.required_count OR managers < NEW.required_manager_count
       OR approvals_open_step(OLD.id, NEW.needs) IS NOT NULL
       OR EXISTS (SELECT 1 FROM approvals_decision d
                   WHERE d.request_id = OLD.id AND d.outcome <> 'APPROVE') THEN
        PERFORM approvals_refuse('approvals_enough_people', format(
            '%s of %s approvals (%s of %s by managers) and no rejection are needed',
            approvals, NEW.required_count, managers, NEW.required_manager_count));
    END IF;
    IF NEW.break_glass IS NOT NULL THEN
        IF coalesce(rule_usd > approvals_glass_usd_max(), true) THEN
            PERFORM approvals_refuse('approvals_break_glass_limits',
                'its worth rose above what goes over broken glass');
        END IF;
        INSERT INTO approvals_breakglassreview
            (id, tenant_id, request_id, opened_at, due_at, findings)
        VALUES (gen_random_uuid(), NEW.tenant_id, NEW.id, NEW.decided_at,
                approvals_review_due(NEW, NEW.decided_at), '');
    END IF;
    RETURN NEW;
END $$;
"""
