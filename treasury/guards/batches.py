"""A file of several orders is exactly the orders that were approved, each as if it went alone.

The database takes the file apart: what stands around the orders, with the reference of one of them
and its amount as the only total, must together with that order carry the seal that people approved.
It asks so when an order enters a file, and for all of them when a sender takes it.
"""

from integrations.constants import SEAL_CONSTRAINT
from treasury.guards import sealing

_PATH = "SET search_path = pg_catalog, public, pg_temp"

APART = f"""
-- The orders of a file, each in the form in which it would go alone under its own reference.
CREATE OR REPLACE FUNCTION treasury_orders_in(body bytea, file_reference text)
RETURNS TABLE (end_to_end_id text, message_reference text, alone bytea)
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    WITH said AS (
        SELECT convert_from(body, 'UTF8') AS words
    ), cut AS (
        SELECT split_part(words, '<CdtTrfTxInf>', 1) AS head,
               '</CdtTrfTxInf>' || split_part(words, '</CdtTrfTxInf>', -1) AS tail,
               words
          FROM said
    ), one AS (
        SELECT cut.head, cut.tail, part.words,
               substring(part.words FROM '<EndToEndId>([^<]+)</EndToEndId>') AS end_to_end_id,
               substring(part.words FROM '<InstrId>([^<]+)</InstrId>') AS own,
               substring(part.words FROM '<InstdAmt Ccy="[A-Z]{{3}}">([0-9.]+)</') AS amount
          FROM cut, string_to_table(
            substr(cut.words, length(cut.head) + length('<CdtTrfTxInf>') + 1,
                   length(cut.words) - length(cut.head) - length('<CdtTrfTxInf>')
                   - length(cut.tail)),
            '</CdtTrfTxInf><CdtTrfTxInf>') AS part(words)
    )
    SELECT one.end_to_end_id, one.own, convert_to(
        regexp_replace(regexp_replace(
            replace(one.head, '>' || file_reference || '<', '>' || one.own || '<'),
            '<NbOfTxs>[0-9]+</NbOfTxs>', '<NbOfTxs>1</NbOfTxs>', 'g'),
            '<CtrlSum>[0-9.]+</CtrlSum>', '<CtrlSum>' || one.amount || '</CtrlSum>', 'g')
        || '<CdtTrfTxInf>' || one.words || one.tail, 'UTF8')
      FROM one
     -- Anything between two orders, and any second block, ends here.
     WHERE position('CdtTrfTxInf' IN one.words) = 0
$$;

-- Whether a file carries this order as people approved it.
CREATE OR REPLACE FUNCTION treasury_file_carries(
    file integrations_message, wanted integrations_message)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT count(*) = 1
      FROM treasury_orders_in(file.body, file.message_reference) o
      JOIN treasury_transfer t ON t.end_to_end_id = o.end_to_end_id
      JOIN treasury_proposal p ON p.id = t.proposal_id
     WHERE o.end_to_end_id = wanted.reference AND o.message_reference = wanted.message_reference
       AND p.order_seal <> ''
       AND treasury_order_seal(o.alone, o.message_reference, t.uetr) = p.order_seal
       AND treasury_order_amount(o.alone) = p.currency || ' ' || trim_scale(p.amount)
$$;

-- Why a file may not leave: the order that nobody approved so, or its totals; NULL when it may.
CREATE OR REPLACE FUNCTION treasury_file_fault(file integrations_message) RETURNS text
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    words text := convert_from(file.body, 'UTF8');
    wrong text;
    total numeric;
    carried integer;
BEGIN
    SELECT count(DISTINCT m.id), sum(p.amount),
           min(coalesce(o.end_to_end_id, '?')) FILTER (WHERE m.id IS NULL
               OR coalesce(p.order_seal, '') = ''
               OR treasury_order_seal(o.alone, o.message_reference, t.uetr)
                  IS DISTINCT FROM p.order_seal
               OR treasury_order_amount(o.alone)
                  IS DISTINCT FROM p.currency || ' ' || trim_scale(p.amount))
      INTO carried, total, wrong
      FROM treasury_orders_in(file.body, file.message_reference) o
      LEFT JOIN integrations_message m ON m.carrier_id = file.id
           AND m.reference = o.end_to_end_id AND m.message_reference = o.message_reference
      LEFT JOIN treasury_transfer t ON t.end_to_end_id = m.reference
      LEFT JOIN treasury_proposal p ON p.id = t.proposal_id;
    IF wrong IS NOT NULL THEN
        RETURN wrong;
    END IF;
    -- As many orders as it says, each of them once, and sums that are theirs.
    IF carried <> file.orders_count
       OR regexp_count(words, 'CdtTrfTxInf') <> 2 * file.orders_count
       OR regexp_count(words, '<NbOfTxs>') <> 2 OR regexp_count(words, '<CtrlSum>') <> 2
       OR EXISTS (SELECT 1 FROM regexp_matches(words, '<NbOfTxs>([0-9]+)</', 'g') AS n(said)
                   WHERE n.said[1]::numeric <> file.orders_count)
       OR EXISTS (SELECT 1 FROM regexp_matches(words, '<CtrlSum>([0-9.]+)</', 'g') AS n(said)
                   WHERE n.said[1]::numeric <> total) THEN
        RETURN 'its totals';
    END IF;
    RETURN NULL;
END $$;
"""

GUARD = f"""
CREATE OR REPLACE FUNCTION treasury_guard_file() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    file integrations_message;
    fault text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.kind <> 'pain.001' OR NEW.reference <> NEW.message_reference
           OR NEW.reference !~ '^B-[0-9a-f]{{32}}$'
           OR EXISTS (SELECT 1 FROM treasury_transfer t WHERE t.end_to_end_id = NEW.reference) THEN
            RAISE EXCEPTION 'a file of orders has a reference of its own'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.orders_count > 0 THEN
        fault := treasury_file_fault(NEW);
    ELSE
        SELECT * INTO file FROM integrations_message m WHERE m.id = NEW.carrier_id;
        fault := CASE WHEN NOT treasury_file_carries(file, NEW) THEN NEW.reference END;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'file % does not carry what was approved: %',
            coalesce(file.reference, NEW.reference), fault
            USING ERRCODE = 'check_violation', CONSTRAINT = '{SEAL_CONSTRAINT}';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION treasury_guard_file() FROM PUBLIC;

DROP TRIGGER IF EXISTS guard_file ON integrations_message;
CREATE TRIGGER guard_file BEFORE INSERT ON integrations_message
    FOR EACH ROW WHEN (NEW.orders_count > 0) EXECUTE FUNCTION treasury_guard_file();
DROP TRIGGER IF EXISTS guard_file_joined ON integrations_message;
CREATE TRIGGER guard_file_joined BEFORE UPDATE OF carrier_id ON integrations_message
    FOR EACH ROW WHEN (NEW.carrier_id IS NOT NULL
                       AND OLD.carrier_id IS DISTINCT FROM NEW.carrier_id)
    EXECUTE FUNCTION treasury_guard_file();
DROP TRIGGER IF EXISTS guard_file_sent ON integrations_message;
CREATE TRIGGER guard_file_sent BEFORE UPDATE OF state ON integrations_message
    FOR EACH ROW WHEN (NEW.state = 'SENDING' AND OLD.state <> 'SENDING' AND NEW.orders_count > 0)
    EXECUTE FUNCTION treasury_guard_file();
"""

BATCHES = APART + GUARD + sealing.GUARD

TRIGGERS = {
    "integrations_message.guard_file",
    "integrations_message.guard_file_joined",
    "integrations_message.guard_file_sent",
}
