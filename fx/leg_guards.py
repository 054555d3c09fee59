"""The rules of settlement as the database holds them, for the app role's own SQL as well."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (
    ("EXPECTED", "INSTRUCTED"),
    ("EXPECTED", "SETTLED"),
    ("EXPECTED", "FAILED"),
    ("EXPECTED", "VOID"),
    ("EXPECTED", "NETTED"),
    ("NETTED", "EXPECTED"),
    ("NETTED", "SETTLED"),
    ("NETTED", "FAILED"),
    ("SETTLED", "NETTED"),
    ("INSTRUCTED", "SENT"),
    ("INSTRUCTED", "FAILED"),
    ("INSTRUCTED", "VOID"),
    ("SENT", "SETTLED"),
    ("SENT", "FAILED"),
    ("SETTLED", "SENT"),
    ("SETTLED", "EXPECTED"),
    ("SETTLED", "FAILED"),
    ("FAILED", "SENT"),
    ("FAILED", "NETTED"),
    ("FAILED", "VOID"),
    ("VOID", "NETTED"),
)
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)
# A payment in one of these may have left, or has.
_MAY_HAVE_LEFT = "('EXECUTING', 'SENT', 'CONFIRMED', 'SETTLED')"

LEGS = f"""
-- Whether the bank's entries settle every leg that stands of a deal, and none is missing.
CREATE OR REPLACE FUNCTION fx_deal_is_delivered(d fx_deal) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    -- Not fixed is not delivered.
    SELECT coalesce(CASE d.kind WHEN 'NDF'
                THEN count(*) = abs(sign(fx_ndf_difference(d))) ELSE count(*) = 2 END, false)
           AND coalesce(bool_and(l.state = 'SETTLED'), true)
      FROM fx_dealleg l WHERE l.deal_id = d.id AND l.state <> 'VOID'
$$;

-- What the buyer of dollars receives of a fixed deal: N * (fixing - rate) / fixing; negative is
-- what it pays. NULL while nobody fixed it.
CREATE OR REPLACE FUNCTION fx_ndf_difference(d fx_deal) RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT round(d.base_amount * (f.rate - d.rate) / f.rate, 2)
      FROM fx_ndffixing f WHERE f.deal_id = d.id AND d.base = 'USD'
$$;

-- Whether the first leg the other way round keeps the account of the one that it replaces: chosen
-- by a person, and of the company whose account was agreed.
CREATE OR REPLACE FUNCTION fx_leg_keeps(l fx_dealleg, agreed uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_dealleg e
          JOIN treasury_bankaccount chosen ON chosen.id = e.account_id
          JOIN treasury_bankaccount ours ON ours.id = agreed
         WHERE e.deal_id = l.deal_id AND e.leg_no <> l.leg_no AND e.state = 'VOID'
           AND e.account_id = l.account_id AND chosen.entity_id = ours.entity_id)
$$;

-- The day of a leg: as agreed, or later once it is instructed anew. What is left of a fixing that
-- was corrected keeps the later day of what it replaces.
CREATE OR REPLACE FUNCTION fx_leg_day_holds(l fx_dealleg, d fx_deal) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT l.value_date = d.value_date OR l.value_date > d.value_date AND (
           l.version > 1 OR d.kind = 'NDF' AND EXISTS (
               SELECT 1 FROM fx_dealleg e
                WHERE e.deal_id = l.deal_id AND e.leg_no <> l.leg_no AND e.state = 'VOID'
                  AND e.value_date = l.value_date))
$$;

-- What a leg moves: amount, currency and account follow from its deal.
CREATE OR REPLACE FUNCTION fx_leg_is_of_its_deal(l fx_dealleg, d fx_deal) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT l.tenant_id = d.tenant_id
       AND CASE d.kind WHEN 'NDF' THEN
                l.currency = 'USD' AND l.amount = abs(fx_ndf_difference(d))
                AND (l.direction = 'RECEIVE')
                  = ((d.side = 'BUY') = (fx_ndf_difference(d) > 0))
                AND (l.version > 1 OR (
                    SELECT l.account_id = agreed OR fx_leg_keeps(l, agreed)
                      FROM (SELECT CASE d.side WHEN 'BUY' THEN d.receive_account_id
                                   ELSE d.pay_account_id END) a (agreed)))
           ELSE
                l.currency = CASE WHEN (d.side = 'BUY') = (l.direction = 'RECEIVE')
                                  THEN d.base ELSE d.quote END
                AND l.amount = CASE WHEN l.currency = d.base THEN d.base_amount
                                    ELSE d.quote_amount END
                AND (l.version > 1 OR (
                    l.account_id = CASE l.direction WHEN 'PAY' THEN d.pay_account_id
                                                    ELSE d.receive_account_id END
                    AND (l.direction = 'RECEIVE' OR l.instruction_id = d.instruction_id)))
           END
       AND fx_leg_day_holds(l, d)
       AND EXISTS (SELECT 1 FROM treasury_bankaccount a
                    WHERE a.id = l.account_id AND a.currency = l.currency)
       AND (l.direction = 'RECEIVE' OR EXISTS (
            SELECT 1 FROM fx_settlementinstruction s
             WHERE s.id = l.instruction_id AND s.counterparty_id = d.counterparty_id
               AND s.currency = l.currency AND (s.is_active OR l.version = 1)))
$$;

-- Whether a payment may have been made, or may still be: it left, or its bank contradicts itself.
CREATE OR REPLACE FUNCTION fx_may_be_paid(payment uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM treasury_proposal p LEFT JOIN treasury_transfer t ON t.proposal_id = p.id
         WHERE p.id = payment AND (p.state IN {_MAY_HAVE_LEFT} OR t.disputed_since IS NOT NULL))
$$;

-- Whether an earlier version of a leg may have been paid: a bank may pay what it had refused.
CREATE OR REPLACE FUNCTION fx_leg_may_be_paid(l fx_dealleg) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_dealleg e
          LEFT JOIN fx_settlementnet n ON n.id = e.net_id
         WHERE e.deal_id = l.deal_id AND e.leg_no = l.leg_no AND e.version < l.version
           AND (fx_may_be_paid(e.proposal_id) OR fx_may_be_paid(n.proposal_id)))
$$;

-- Whether a proposal is the payment of a leg: its account, amount, currency, day and payee.
CREATE OR REPLACE FUNCTION fx_leg_pays(p treasury_proposal) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_dealleg l
          JOIN fx_deal d ON d.id = l.deal_id
          JOIN fx_settlementinstruction s ON s.id = l.instruction_id
         WHERE l.proposal_id = p.id AND l.tenant_id = p.tenant_id AND l.direction = 'PAY'
           AND l.state IN ('INSTRUCTED', 'SENT') AND d.state = 'CONFIRMED'
           AND p.version = 1 AND p.maker_id IS NULL
           AND p.reference = d.reference || 'P' || l.version
           AND (p.debit_account_id, p.amount, p.currency, p.rail, p.value_date, p.beneficiary_id)
             = (l.account_id, l.amount, l.currency, l.rail, l.value_date, s.beneficiary_id)
           AND NOT fx_leg_may_be_paid(l))
$$;

-- Whether a person dealt, confirmed or fixed one of the deals that a payment is for.
CREATE OR REPLACE FUNCTION fx_took_part(person uuid, payment uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_deal d
         WHERE d.id IN (
               SELECT l.deal_id FROM fx_dealleg l WHERE l.proposal_id = payment
                UNION ALL
               SELECT l.deal_id FROM fx_settlementnet n JOIN fx_dealleg l ON l.net_id = n.id
                WHERE n.proposal_id = payment)
           AND (fx_same_person(person, d.maker_id) OR fx_same_person(person, d.executed_by_id)
                OR fx_same_person(person, d.confirmed_by_id)
                OR EXISTS (SELECT 1 FROM fx_dealconfirmation c
                            WHERE c.deal_id = d.id AND c.matches
                              AND fx_same_person(person, c.entered_by_id))
                OR EXISTS (SELECT 1 FROM fx_ndffixing f
                            WHERE f.deal_id = d.id AND fx_same_person(person, f.entered_by_id))))
$$;

-- Whether a leg is settled by an entry, or by the part of it that is named. What is taken as a
-- whole has no part left.
CREATE OR REPLACE FUNCTION fx_settles_a_leg(entry uuid, part uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_dealleg o
         WHERE o.entry_id = entry
           AND (o.entry_part_id IS NULL OR part IS NULL OR o.entry_part_id = part))
$$;

-- Legs and nets ask about each other's rows: one transaction at a time settles by an entry as a
-- whole, and one by each of its parts.
CREATE OR REPLACE FUNCTION fx_hold_entry(entry uuid, part uuid) RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF part IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('fx.entry:' || entry, 0));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('fx.entry:' || entry, 0));
        PERFORM pg_advisory_xact_lock(hashtextextended('fx.part:' || part, 0));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION fx_guard_leg() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    d fx_deal;
    steps text[] := ARRAY['state', 'entry_id', 'entry_part_id',
                          'reason', 'instructed_at', 'sent_at', 'settled_at', 'closed_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a leg is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO d FROM fx_deal WHERE id = NEW.deal_id FOR SHARE;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'EXPECTED' OR NEW.proposal_id IS NOT NULL THEN
            RAISE EXCEPTION 'a leg is born as EXPECTED, not as %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF d.state IS NULL OR d.state NOT IN ('EXECUTED', 'CONFIRMED', 'FAILED') THEN
            RAISE EXCEPTION 'only what was dealt has legs' USING ERRCODE = 'check_violation';
        END IF;
        IF NOT coalesce(fx_leg_is_of_its_deal(NEW, d), false) THEN
            RAISE EXCEPTION 'a leg of % is not what was dealt', d.reference
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.version <> 1 + coalesce((SELECT max(l.version) FROM fx_dealleg l
             WHERE l.deal_id = NEW.deal_id AND l.leg_no = NEW.leg_no), 0) THEN
            RAISE EXCEPTION 'the versions of a leg of % are counted without gaps', d.reference
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state = 'EXPECTED' AND NEW.state = 'INSTRUCTED' THEN
        steps := steps || ARRAY['proposal_id'];
    END IF;
    IF (OLD.state, NEW.state) IN (('EXPECTED', 'NETTED'), ('NETTED', 'EXPECTED')) THEN
        steps := steps || ARRAY['net_id'];
    END IF;
    IF to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps THEN
        RAISE EXCEPTION 'a leg of % does not change: a next version takes its place', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS}) THEN
        RAISE EXCEPTION 'a leg does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.direction = 'PAY' AND OLD.state = 'EXPECTED' AND NEW.state = 'SETTLED' THEN
        RAISE EXCEPTION 'what we pay is instructed before it is settled'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'INSTRUCTED' AND OLD.state <> 'INSTRUCTED' AND d.state <> 'CONFIRMED' THEN
        RAISE EXCEPTION 'deal % is paid once it is confirmed', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'INSTRUCTED' AND OLD.state <> 'INSTRUCTED' AND NOT EXISTS (
        SELECT 1 FROM treasury_proposal p
          JOIN fx_settlementinstruction s ON s.id = NEW.instruction_id
         WHERE p.id = NEW.proposal_id AND p.purpose = 'FX_SETTLEMENT' AND p.state = 'DRAFT'
           AND (p.debit_account_id, p.amount, p.currency, p.rail, p.value_date, p.beneficiary_id)
             = (NEW.account_id, NEW.amount, NEW.currency, NEW.rail, NEW.value_date,
                s.beneficiary_id)) THEN
        RAISE EXCEPTION 'another payment than that of this leg of %', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF 'NETTED' IN (OLD.state, NEW.state) AND OLD.state <> NEW.state
       AND NOT fx_net_moves(coalesce(NEW.net_id, OLD.net_id), OLD.state, NEW, d) THEN
        RAISE EXCEPTION 'a leg of % follows its net', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.net_id IS NOT NULL AND NEW.state IN ('SETTLED', 'FAILED') AND NOT EXISTS (
        SELECT 1 FROM fx_settlementnet n WHERE n.id = NEW.net_id AND n.state = NEW.state) THEN
        RAISE EXCEPTION 'a leg of % follows its net', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'SETTLED' AND NEW.net_id IS NULL THEN
        PERFORM fx_hold_entry(NEW.entry_id, NEW.entry_part_id);
    END IF;
    IF NEW.state = 'SETTLED' AND NEW.net_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM treasury_bankentry e
         WHERE e.id = NEW.entry_id AND e.account_id = NEW.account_id
           AND e.state = 'COUNTED' AND e.status = 'BOOK'
           AND (treasury_entry_books(e, NEW.entry_part_id,
                   CASE NEW.direction WHEN 'PAY' THEN -NEW.amount ELSE NEW.amount END)
                OR NEW.direction = 'RECEIVE' AND fx_difference_holds(NEW, e))
           AND NOT fx_settles_a_net(e.id, NEW.entry_part_id)
           -- An entry is taken as a whole or in parts.
           AND NOT EXISTS (
                SELECT 1 FROM fx_dealleg o
                 WHERE o.entry_id = e.id AND o.id <> NEW.id AND o.state = 'SETTLED'
                   AND o.net_id IS NULL
                   AND (o.entry_part_id IS NULL) <> (NEW.entry_part_id IS NULL))
           AND (NEW.direction = 'RECEIVE' OR EXISTS (
                SELECT 1 FROM treasury_transfer t
                 WHERE t.proposal_id = NEW.proposal_id AND t.debit_entry_id = e.id
                   AND t.debit_part_id IS NOT DISTINCT FROM NEW.entry_part_id))) THEN
        RAISE EXCEPTION 'no entry of its bank settles this leg of %', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('VOID', 'FAILED') AND OLD.state <> NEW.state AND EXISTS (
        SELECT 1 FROM treasury_proposal p
         WHERE p.state IN {_MAY_HAVE_LEFT}
           AND (p.id = NEW.proposal_id OR NEW.state = 'VOID' AND p.id = (
                SELECT n.proposal_id FROM fx_settlementnet n WHERE n.id = NEW.net_id))) THEN
        RAISE EXCEPTION 'the payment of % may have left already', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'VOID' AND OLD.state <> 'VOID' AND (
        fx_may_be_paid(NEW.proposal_id) OR fx_may_be_paid((
            SELECT n.proposal_id FROM fx_settlementnet n WHERE n.id = NEW.net_id))) THEN
        RAISE EXCEPTION 'the bank contradicts itself about the payment of %: it is not replaced',
            d.reference USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_dealleg;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_dealleg
    FOR EACH ROW EXECUTE FUNCTION fx_guard_leg();

-- A payment for a deal is that of its leg, to the letter, from the moment people are asked.
CREATE OR REPLACE FUNCTION fx_guard_payment() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RETURN NEW;
    END IF;
    IF NEW.purpose <> OLD.purpose AND 'FX_SETTLEMENT' IN (NEW.purpose, OLD.purpose) THEN
        RAISE EXCEPTION 'a payment for a deal stays one' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.purpose = 'FX_SETTLEMENT' AND NEW.state IN ('PENDING', 'APPROVED', 'EXECUTING')
       AND NOT (fx_leg_pays(NEW) OR fx_net_pays(NEW)) THEN
        RAISE EXCEPTION 'payment % is not what a confirmed deal pays', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    -- Whoever approved it before it was known whose payment it is did not know either.
    IF NEW.purpose = 'FX_SETTLEMENT' AND NEW.state IN ('PENDING', 'APPROVED', 'EXECUTING')
       AND EXISTS (
           SELECT 1 FROM approvals_decision a
             JOIN approvals_approvalrequest q ON q.id = a.request_id
            WHERE q.subject_type = 'treasury.proposal' AND q.subject_id = NEW.id
              AND a.outcome = 'APPROVE' AND fx_took_part(a.checker_id, NEW.id)) THEN
        RAISE EXCEPTION 'who dealt, or confirmed, does not check what the deal pays'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard_settlement ON treasury_proposal;
CREATE TRIGGER guard_settlement BEFORE INSERT OR UPDATE ON treasury_proposal
    FOR EACH ROW EXECUTE FUNCTION fx_guard_payment();

-- Who dealt does not check what the deal pays.
CREATE OR REPLACE FUNCTION fx_guard_decision() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NEW.outcome = 'APPROVE' AND EXISTS (
        SELECT 1 FROM approvals_approvalrequest q
         WHERE q.id = NEW.request_id AND q.subject_type = 'treasury.proposal'
           AND fx_took_part(NEW.checker_id, q.subject_id)) THEN
        RAISE EXCEPTION 'who dealt, or confirmed, does not check what the deal pays'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard_settlement ON approvals_decision;
CREATE TRIGGER guard_settlement BEFORE INSERT ON approvals_decision
    FOR EACH ROW EXECUTE FUNCTION fx_guard_decision();
"""
SQL = "SET LOCAL check_function_bodies = false;" + LEGS
TRIGGERS = frozenset(
    {
        "fx_dealleg.guard",
        "treasury_proposal.guard_settlement",
        "approvals_decision.guard_settlement",
    }
)
