"""A recall goes out as it was approved; the database compares the bytes."""

from treasury.guards import sealing

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (
    ("REQUESTED", "SENT"),
    ("REQUESTED", "DECLINED"),
    ("SENT", "FAILED"),
    ("SENT", "ACCEPTED"),
    ("SENT", "REFUSED"),
    ("REFUSED", "ACCEPTED"),
)
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)

RECALL = rf"""
CREATE OR REPLACE FUNCTION treasury_recall_content(r treasury_recall) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'recall', r.id, 'case', r.case_id, 'reason', r.reason, 'words', r.words,
        'end_to_end_id', t.end_to_end_id, 'uetr', t.uetr, 'amount', p.amount::text,
        'currency', p.currency, 'order_sha256', r.order_sha256)
      FROM treasury_transfer t JOIN treasury_proposal p ON p.id = t.proposal_id
     WHERE t.id = r.transfer_id
$$;

CREATE OR REPLACE FUNCTION treasury_guard_recall() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    may_change text[] := ARRAY['state', 'message_id', 'closing_reason', 'answered_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a recall is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'REQUESTED'
           OR NEW.requested_by_id::text IS DISTINCT FROM current_setting('app.actor', true) THEN
            RAISE EXCEPTION 'a person asks for a recall in their own name'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change
       OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS})) THEN
        RAISE EXCEPTION 'a recall does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'SENT' AND OLD.state = 'REQUESTED'
       AND NOT approvals_is_approved('treasury.recall', NEW.id, 1, treasury_recall_content(NEW))
    THEN
        RAISE EXCEPTION 'recall % has not been approved by enough people', NEW.case_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_recall;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_recall
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_recall();

CREATE OR REPLACE FUNCTION treasury_guard_recall_message() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM treasury_recall r JOIN treasury_transfer t ON t.id = r.transfer_id
         WHERE r.case_id = NEW.reference AND r.state = 'SENT'
           AND r.order_sha256 = encode(sha256(NEW.body), 'hex')
           AND position('>' || t.end_to_end_id || '<' IN convert_from(NEW.body, 'UTF8')) > 0)
       -- Nothing that pays goes out under the name of a recall.
       OR convert_from(NEW.body, 'UTF8')
          !~ '^<[?]xml[^>]*[?]>[[:space:]]*<([A-Za-z0-9]+:)?(Document|Envelope)[ >]'
       OR convert_from(NEW.body, 'UTF8') !~ 'xsd:camt[.]056[.]'
       OR convert_from(NEW.body, 'UTF8') !~ 'FIToFIPmtCxlReq'
       OR convert_from(NEW.body, 'UTF8') ~ '(CdtTrfInitn|CdtTrf>|CdtTrfTxInf|DrctDbt)' THEN
        RAISE EXCEPTION 'message % is not the recall that was approved', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard_payment ON integrations_message;
CREATE TRIGGER guard_payment BEFORE INSERT ON integrations_message
    FOR EACH ROW WHEN (NEW.kind NOT IN ('camt.056', 'camt.060'))
    EXECUTE FUNCTION treasury_guard_outbound();
DROP TRIGGER IF EXISTS guard_seal ON integrations_message;
CREATE TRIGGER guard_seal BEFORE UPDATE OF state ON integrations_message
    FOR EACH ROW WHEN (NEW.state = 'SENDING' AND OLD.state <> 'SENDING'
                       AND NEW.kind NOT IN ('camt.056', 'camt.060'))
    EXECUTE FUNCTION treasury_guard_outbound();
DROP TRIGGER IF EXISTS guard_recall ON integrations_message;
CREATE TRIGGER guard_recall BEFORE INSERT ON integrations_message
    FOR EACH ROW WHEN (NEW.kind = 'camt.056' AND NEW.direction = 'OUT')
    EXECUTE FUNCTION treasury_guard_recall_message();
DROP TRIGGER IF EXISTS guard_recall_sent ON integrations_message;
CREATE TRIGGER guard_recall_sent BEFORE UPDATE OF state ON integrations_message
    FOR EACH ROW WHEN (NEW.state = 'SENDING' AND NEW.kind = 'camt.056')
    EXECUTE FUNCTION treasury_guard_recall_message();
"""

TRIGGERS = {
    "treasury_recall.guard",
    "integrations_message.guard_recall",
    "integrations_message.guard_recall_sent",
} | sealing.TRIGGERS
