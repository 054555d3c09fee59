"""What was approved is what is sent: the order's bytes are bound to what people agreed to.

The seal is the digest of the order's bytes with four things taken out that belong to the single
attempt: its message reference, its time, the UETR. Those are compared with their own rows. The
seal is part of what checkers approve, and it is asked for again when a sender takes the message.
"""

from integrations.constants import SEAL_CONSTRAINT

_PATH = "SET search_path = pg_catalog, public, pg_temp"

SEAL = f"""
CREATE OR REPLACE FUNCTION treasury_order_seal(body bytea, message_reference text, uetr text)
RETURNS text LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT encode(sha256(convert_to(
        replace(replace(
            regexp_replace(
                convert_from(body, 'UTF8'),
                '<(CreDtTm|CreDt)>[0-9TZ:-]{{20}}</\\1>', '<\\1/>', 'g'),
            '>' || message_reference || '<', '>{{message}}<'),
            '>' || uetr || '<', '>{{uetr}}<'),
        'UTF8')), 'hex')
$$;

-- Read from the bytes themselves: nobody has to believe that the seal was made of the right order.
CREATE OR REPLACE FUNCTION treasury_order_amount(body bytea) RETURNS text
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT string_agg(found[1] || ' ' || trim_scale(found[2]::numeric), ', ')
      FROM regexp_matches(
        convert_from(body, 'UTF8'),
        '<(?:InstdAmt|IntrBkSttlmAmt) Ccy="([A-Z]{{3}})">([0-9.]+)</', 'g') AS found
$$;

-- Whether bytes are spelt as we spell orders: one payment, no comments or other markup, no blanks,
-- prefixes or attributes in the elements that the functions here look for, no bank between.
CREATE OR REPLACE FUNCTION treasury_order_is_plain(body bytea) RETURNS boolean
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT said.words !~ '<!|</[A-Za-z0-9]+[^A-Za-z0-9>]|</?[A-Za-z0-9]+:|<IntrmyAgt'
           AND said.words !~ '<(Dbtr|Cdtr)[A-Za-z]*[^A-Za-z>]'
           AND (SELECT count(*) FROM regexp_matches(said.words, '<CdtTrfTxInf>', 'g')) = 1
      FROM (SELECT convert_from(body, 'UTF8') AS words) said
$$;

-- Who pays and who is paid, with their accounts and banks, as the bank reads them.
CREATE OR REPLACE FUNCTION treasury_order_ends(body bytea) RETURNS text
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT encode(sha256(convert_to(
        substring(said.words FROM '<Dbtr>.*</DbtrAgt>')
        || substring(said.words FROM '<(?:CdtrAgt|Cdtr)>.*</CdtrAcct>'), 'UTF8')), 'hex')
      FROM (SELECT convert_from(body, 'UTF8') AS words) said
$$;
"""

GUARD = f"""
CREATE OR REPLACE FUNCTION treasury_guard_outbound() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    p treasury_proposal;
    sent_as text;
BEGIN
    -- A file of several orders has a guard of its own, which asks the same of each of them.
    IF NEW.direction <> 'OUT' OR NEW.orders_count > 0 THEN
        RETURN NEW;
    END IF;
    SELECT q.* INTO p FROM treasury_proposal q JOIN treasury_transfer t ON t.proposal_id = q.id
     WHERE t.end_to_end_id = NEW.reference;
    IF NOT FOUND OR (TG_OP = 'INSERT' AND p.state <> 'EXECUTING') THEN
        RAISE EXCEPTION 'payment % belongs to no approved transfer', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' AND NOT EXISTS (
        SELECT 1 FROM treasury_bankaccount a JOIN treasury_bank b ON b.id = a.bank_id
          JOIN integrations_bankconnection c ON c.code = b.connection
         WHERE a.id = p.debit_account_id
           AND c.id = coalesce(NEW.routed_from_id, NEW.connection_id)) THEN
        RAISE EXCEPTION 'payment % does not leave by a line of its own bank', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.message_reference !~ '^[A-Za-z0-9/?:().,''+ -]{{1,35}}$' THEN
        RAISE EXCEPTION 'payment % has a message reference that is none', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT t.uetr INTO sent_as FROM treasury_transfer t WHERE t.proposal_id = p.id;
    -- Without a seal nothing enters the queue; what stood there before there were seals may leave.
    IF TG_OP = 'UPDATE' AND p.order_seal = '' THEN
        RETURN NEW;
    END IF;
    IF p.order_seal = ''
       OR treasury_order_seal(NEW.body, NEW.message_reference, sent_as) <> p.order_seal THEN
        RAISE EXCEPTION 'payment % is not the order that was approved', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = '{SEAL_CONSTRAINT}';
    END IF;
    IF treasury_order_amount(NEW.body)
       IS DISTINCT FROM p.currency || ' ' || trim_scale(p.amount) THEN
        RAISE EXCEPTION 'payment % does not say the approved amount', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = '{SEAL_CONSTRAINT}';
    END IF;
    -- Nobody looked at the bytes of a sweep within its mandate: its ends are what people agreed.
    IF p.purpose = 'SWEEP' AND NOT treasury_order_is_plain(NEW.body) THEN
        RAISE EXCEPTION 'payment % is spelt in another way than our orders', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = '{SEAL_CONSTRAINT}';
    END IF;
    IF p.purpose = 'SWEEP' AND treasury_order_ends(NEW.body) IS DISTINCT FROM (
        SELECT l.ends FROM treasury_sweeporder o
          JOIN treasury_sweepline l ON l.id = o.line_id AND l.tenant_id = o.tenant_id
         WHERE o.tenant_id = p.tenant_id AND o.order_id = p.reference) THEN
        RAISE EXCEPTION 'payment % does not go where sweeps of its line go', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = '{SEAL_CONSTRAINT}';
    END IF;
    RETURN NEW;
END $$;
"""

OUTBOUND = f"""
{SEAL}
{GUARD}
DROP TRIGGER IF EXISTS guard_payment ON integrations_message;
CREATE TRIGGER guard_payment BEFORE INSERT ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_outbound();
DROP TRIGGER IF EXISTS guard_seal ON integrations_message;
CREATE TRIGGER guard_seal BEFORE UPDATE OF state ON integrations_message
    FOR EACH ROW WHEN (NEW.state = 'SENDING' AND OLD.state <> 'SENDING')
    EXECUTE FUNCTION treasury_guard_outbound();
"""

TRIGGERS = {"integrations_message.guard_payment", "integrations_message.guard_seal"}
