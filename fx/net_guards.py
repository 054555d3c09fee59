"""Nets as the database holds them: under a signed agreement, of exactly their legs."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (
    ("EXPECTED", "INSTRUCTED"),
    ("EXPECTED", "SETTLED"),
    ("EXPECTED", "FAILED"),
    ("EXPECTED", "VOID"),
    ("INSTRUCTED", "SENT"),
    ("INSTRUCTED", "FAILED"),
    ("INSTRUCTED", "VOID"),
    ("SENT", "SETTLED"),
    ("SENT", "FAILED"),
    ("SETTLED", "SENT"),
    ("SETTLED", "EXPECTED"),
    ("SETTLED", "FAILED"),
    ("FAILED", "SENT"),
)
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)

NETS = f"""
-- Whether a leg may join, leave or follow a net.
CREATE OR REPLACE FUNCTION fx_net_moves(net uuid, before text, l fx_dealleg, d fx_deal)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_settlementnet n
         WHERE n.id = net AND n.tenant_id = l.tenant_id
           AND CASE
               WHEN before = 'EXPECTED' THEN n.state = 'EXPECTED' AND d.state = 'CONFIRMED'
                    AND (n.counterparty_id, n.currency, n.value_date, n.account_id)
                      = (d.counterparty_id, l.currency, l.value_date, l.account_id)
                    AND (l.direction = 'RECEIVE' OR l.instruction_id = n.instruction_id)
               WHEN l.state = 'EXPECTED' THEN n.state = 'VOID'
               WHEN before = 'SETTLED' THEN n.state IN ('EXPECTED', 'SENT')
               WHEN before IN ('FAILED', 'VOID') THEN n.state IN ('SENT', 'SETTLED')
               ELSE n.state = l.state END)
$$;

-- The proof of a net: its legs come to its amount, and to what would have moved without it. Legs
-- that were replaced once it had failed are its legs still: one that is undone keeps none.
CREATE OR REPLACE FUNCTION fx_net_adds_up(n fx_settlementnet) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(count(*) = n.legs_count AND sum(l.amount) = n.gross
       AND sum(CASE l.direction WHEN 'PAY' THEN -l.amount ELSE l.amount END)
         = CASE n.direction WHEN 'PAY' THEN -n.amount ELSE n.amount END, false)
      FROM fx_dealleg l WHERE l.net_id = n.id
$$;

-- Whether a proposal is the payment of a net.
CREATE OR REPLACE FUNCTION fx_net_pays(p treasury_proposal) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_settlementnet n
          JOIN fx_settlementinstruction s ON s.id = n.instruction_id
         WHERE n.proposal_id = p.id AND n.tenant_id = p.tenant_id AND n.direction = 'PAY'
           AND n.state IN ('INSTRUCTED', 'SENT') AND p.version = 1 AND p.maker_id IS NULL
           AND p.reference = n.reference AND fx_net_adds_up(n)
           AND (p.debit_account_id, p.amount, p.currency, p.rail, p.value_date, p.beneficiary_id)
             = (n.account_id, n.amount, n.currency, n.rail, n.value_date, s.beneficiary_id)
           AND NOT EXISTS (SELECT 1 FROM fx_dealleg l
                            WHERE l.net_id = n.id AND fx_leg_may_be_paid(l)))
$$;

-- Whether a net is settled by an entry, or by the part of it that is named.
CREATE OR REPLACE FUNCTION fx_settles_a_net(entry uuid, part uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_settlementnet o
         WHERE o.entry_id = entry
           AND (o.entry_part_id IS NULL OR part IS NULL OR o.entry_part_id = part))
$$;

CREATE OR REPLACE FUNCTION fx_guard_net() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    steps text[] := ARRAY['state', 'entry_id', 'entry_part_id',
                          'reason', 'settled_at', 'closed_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a net is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'EXPECTED' OR NEW.proposal_id IS NOT NULL THEN
            RAISE EXCEPTION 'a net is born as EXPECTED, not as %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF NOT EXISTS (
            SELECT 1 FROM fx_nettingagreement a
             WHERE a.id = NEW.agreement_id AND a.counterparty_id = NEW.counterparty_id
               AND a.is_active AND a.starts_on <= NEW.value_date
               AND (a.ends_on IS NULL OR a.ends_on >= NEW.value_date)) THEN
            RAISE EXCEPTION 'nobody signed that payments of that day are netted'
                USING ERRCODE = 'check_violation';
        END IF;
        IF NOT EXISTS (
            SELECT 1 FROM fx_settlementinstruction s
              JOIN treasury_bankaccount a ON a.id = NEW.account_id AND a.currency = NEW.currency
             WHERE s.id = NEW.instruction_id AND s.counterparty_id = NEW.counterparty_id
               AND s.currency = NEW.currency) THEN
            RAISE EXCEPTION 'a net names accounts of its currency and counterparty'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state = 'EXPECTED' AND NEW.state = 'INSTRUCTED' THEN
        steps := steps || ARRAY['proposal_id'];
    END IF;
    IF to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps THEN
        RAISE EXCEPTION 'net % does not change', NEW.reference USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS}) THEN
        RAISE EXCEPTION 'a net does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('INSTRUCTED', 'SETTLED') AND NEW.state <> OLD.state
       AND NOT fx_net_adds_up(NEW) THEN
        RAISE EXCEPTION 'net % is not the sum of its legs', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'INSTRUCTED' AND OLD.state <> 'INSTRUCTED' AND (
        NEW.direction <> 'PAY' OR NOT EXISTS (
            SELECT 1 FROM treasury_proposal p
              JOIN fx_settlementinstruction s ON s.id = NEW.instruction_id
             WHERE p.id = NEW.proposal_id AND p.purpose = 'FX_SETTLEMENT' AND p.state = 'DRAFT'
               AND (p.debit_account_id, p.amount, p.currency, p.rail, p.value_date,
                    p.beneficiary_id)
                 = (NEW.account_id, NEW.amount, NEW.currency, NEW.rail, NEW.value_date,
                    s.beneficiary_id))) THEN
        RAISE EXCEPTION 'another payment than that of net %', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'SETTLED' AND OLD.state <> 'SETTLED' AND NEW.direction = 'NOTHING'
       AND (NEW.settled_at AT TIME ZONE 'UTC')::date < NEW.value_date - 1 THEN
        RAISE EXCEPTION 'net % offsets nothing before its day', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'SETTLED' AND NEW.direction <> 'NOTHING' THEN
        PERFORM fx_hold_entry(NEW.entry_id, NEW.entry_part_id);
    END IF;
    IF NEW.state = 'SETTLED' AND NEW.direction <> 'NOTHING' AND NOT EXISTS (
        SELECT 1 FROM treasury_bankentry e
         WHERE e.id = NEW.entry_id AND e.account_id = NEW.account_id
           AND e.state = 'COUNTED' AND e.status = 'BOOK'
           AND (treasury_entry_books(e, NEW.entry_part_id,
                   CASE NEW.direction WHEN 'PAY' THEN -NEW.amount ELSE NEW.amount END)
                OR NEW.direction = 'RECEIVE' AND fx_net_difference_holds(NEW, e))
           AND NOT fx_settles_a_leg(e.id, NEW.entry_part_id)
           -- An entry is taken as a whole or in parts.
           AND NOT EXISTS (
                SELECT 1 FROM fx_settlementnet o
                 WHERE o.entry_id = e.id AND o.id <> NEW.id
                   AND (o.entry_part_id IS NULL) <> (NEW.entry_part_id IS NULL))
           AND (NEW.direction = 'RECEIVE' OR EXISTS (
                SELECT 1 FROM treasury_transfer t
                 WHERE t.proposal_id = NEW.proposal_id AND t.debit_entry_id = e.id
                   AND t.debit_part_id IS NOT DISTINCT FROM NEW.entry_part_id))) THEN
        RAISE EXCEPTION 'no entry of its bank settles net %', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('VOID', 'FAILED') AND NEW.state <> OLD.state AND EXISTS (
        SELECT 1 FROM treasury_proposal p
         WHERE p.id = NEW.proposal_id
           AND p.state IN ('EXECUTING', 'SENT', 'CONFIRMED', 'SETTLED')) THEN
        RAISE EXCEPTION 'the payment of net % may have left already', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_settlementnet;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_settlementnet
    FOR EACH ROW EXECUTE FUNCTION fx_guard_net();
"""
SQL = "SET LOCAL check_function_bodies = false;" + NETS
TRIGGERS = frozenset({"fx_settlementnet.guard"})
