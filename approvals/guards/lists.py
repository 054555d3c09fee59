"""Several requests, approved one by one with one second factor for all of them.

The proof is bound to the digest of the sorted content hashes. The list is a row of its own, so that
the database, and an auditor after it, can compute the digest again for every single decision.
"""

from approvals.constants import LISTED_MAX
from approvals.guards.path import PATH as _PATH

LISTS = f"""
CREATE OR REPLACE FUNCTION approvals_list_digest(hashes text[]) RETURNS text
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT encode(sha256(convert_to('approvals list' || E'\\n' || array_to_string(
               ARRAY(SELECT DISTINCT h FROM unnest(hashes) h ORDER BY 1), E'\\n'),
               'UTF8')), 'hex')
$$;

CREATE OR REPLACE FUNCTION approvals_guard_list() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NEW.checker_id::text IS DISTINCT FROM current_setting('app.actor', true) THEN
        PERFORM approvals_refuse('approvals_own_hand', 'nobody lists for somebody else');
    END IF;
    NEW.made_at := clock_timestamp();
    NEW.content_hashes := ARRAY(SELECT DISTINCT h FROM unnest(NEW.content_hashes) h ORDER BY 1);
    IF cardinality(NEW.content_hashes) NOT BETWEEN 1 AND {LISTED_MAX} THEN
        PERFORM approvals_refuse('approvals_list_length',
            'one second factor serves {LISTED_MAX} requests at most');
    END IF;
    IF EXISTS (SELECT 1 FROM unnest(NEW.content_hashes) h
                WHERE NOT EXISTS (SELECT 1 FROM approvals_viewing v
                                   WHERE v.viewer_id = NEW.checker_id
                                     AND v.content_hash = h)) THEN
        PERFORM approvals_refuse('approvals_list_seen',
            'one of these requests was never opened by this person');
    END IF;
    IF NOT core_step_up_counts(NEW.step_up_id, NEW.checker_id,
                               approvals_list_digest(NEW.content_hashes)) THEN
        PERFORM approvals_refuse('approvals_stepped_up',
            'the second factor was not shown by this person for exactly this list just now');
    END IF;
    RETURN NEW;
END $$;

-- What the second factor of a decision must have been shown for: its content, or its list.
CREATE OR REPLACE FUNCTION approvals_proven_content(
    decision approvals_decision, request approvals_approvalrequest) RETURNS text
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    list approvals_decisionlist%ROWTYPE;
BEGIN
    IF decision.listed_id IS NULL THEN RETURN request.content_hash; END IF;
    SELECT * INTO list FROM approvals_decisionlist l
     WHERE l.id = decision.listed_id AND l.checker_id = decision.checker_id
       AND l.step_up_id = decision.step_up_id
       AND request.content_hash = ANY (l.content_hashes);
    IF NOT FOUND OR decision.outcome <> 'APPROVE' THEN
        PERFORM approvals_refuse('approvals_listed', 'this decision is not on that list');
    END IF;
    IF request.required_count > 1 OR request.break_glass IS NOT NULL
       OR approvals_is_above_dual(request, decision.decided_at) THEN
        PERFORM approvals_refuse('approvals_listed_alone',
            'what needs two people is decided on its own');
    END IF;
    RETURN approvals_list_digest(list.content_hashes);
END $$;
"""

LIST_TRIGGERS = """
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_decisionlist
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_list();
"""
