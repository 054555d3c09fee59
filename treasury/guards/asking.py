"""A wish for a report is a message of its own kind, and can never pay."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

ASKING = f"""
CREATE OR REPLACE FUNCTION treasury_guard_report_wish() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    said text := convert_from(NEW.body, 'UTF8');
BEGIN
    -- The root and its only child are those of a wish for a report; nothing in it orders anything.
    IF said !~ ('^\\s*(<\\?xml[^>]*\\?>)?\\s*<Document'
                || ' xmlns="urn:iso:std:iso:20022:tech:xsd:camt\\.060\\.001\\.[0-9]{{2}}">'
                || '\\s*<AcctRptgReq>.*</AcctRptgReq>\\s*</Document>\\s*$')
       OR said ~ '(CdtTrf|CdtrPmtActvtn|DrctDbt|PmtInf|FIToFI|FICdt|InstdAmt|SttlmAmt|CxlReq)'
       OR said ~ '</Document>.*</Document>' THEN
        RAISE EXCEPTION 'message % is not a wish for a report', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM treasury_transfer t WHERE t.end_to_end_id = NEW.reference)
       OR NEW.reference !~ '^ASK-' THEN
        RAISE EXCEPTION 'a wish for a report has a reference of its own'
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' AND NOT EXISTS (
        SELECT 1 FROM treasury_transfer t JOIN treasury_proposal p ON p.id = t.proposal_id
         WHERE p.state = 'EXECUTING' AND t.outcome_unknown_since IS NOT NULL) THEN
        RAISE EXCEPTION 'a report is asked for while the outcome of a payment is unknown'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard_report_wish ON integrations_message;
CREATE TRIGGER guard_report_wish BEFORE INSERT ON integrations_message
    FOR EACH ROW WHEN (NEW.kind = 'camt.060' AND NEW.direction = 'OUT')
    EXECUTE FUNCTION treasury_guard_report_wish();
DROP TRIGGER IF EXISTS guard_report_wish_sent ON integrations_message;
CREATE TRIGGER guard_report_wish_sent BEFORE UPDATE OF state ON integrations_message
    FOR EACH ROW WHEN (NEW.state = 'SENDING' AND NEW.kind = 'camt.060')
    EXECUTE FUNCTION treasury_guard_report_wish();
"""

TRIGGERS = {
    "integrations_message.guard_report_wish",
    "integrations_message.guard_report_wish_sent",
}
