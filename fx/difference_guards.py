"""Receipts of another amount, as the database holds them: two people, and what it says it is."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (("PROPOSED", "ACCEPTED"), ("PROPOSED", "REFUSED"), ("ACCEPTED", "REVERSED"))
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)
FX_RECEIPT_DIFFERENCE_PCT_MAX = "0.01"

HOLDS = f"""
-- What came by an entry, or by the part of it that is named. An entry that books several payments
-- is never taken as a whole.
CREATE OR REPLACE FUNCTION fx_difference_came(r fx_receiptdifference, e treasury_bankentry)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT r.entry_id = e.id AND treasury_entry_books(e, r.entry_part_id, r.came)
       AND (r.entry_part_id IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM treasury_entrypart x WHERE x.entry_id = e.id))
$$;

-- Whether a flow is what the treasury expects of what a difference is for.
CREATE OR REPLACE FUNCTION fx_difference_explains(r fx_receiptdifference, f treasury_expectedflow)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT f.tenant_id = r.tenant_id AND f.source = 'DEAL' AND f.source_ref = CASE
        WHEN r.net_id IS NULL THEN (
            SELECT d.reference || left(l.direction, 1) || l.version
              FROM fx_dealleg l JOIN fx_deal d ON d.id = l.deal_id WHERE l.id = r.leg_id)
        ELSE (SELECT n.reference FROM fx_settlementnet n WHERE n.id = r.net_id) END
$$;

-- Whether two people accepted that an entry settles a leg although it is another amount.
CREATE OR REPLACE FUNCTION fx_difference_holds(l fx_dealleg, e treasury_bankentry) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_receiptdifference r
         WHERE r.leg_id = l.id AND r.tenant_id = l.tenant_id AND r.state = 'ACCEPTED'
           AND r.entry_part_id IS NOT DISTINCT FROM l.entry_part_id
           AND fx_difference_came(r, e) AND l.amount + r.difference = r.came)
$$;

-- The same of a net.
CREATE OR REPLACE FUNCTION fx_net_difference_holds(n fx_settlementnet, e treasury_bankentry)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_receiptdifference r
         WHERE r.net_id = n.id AND r.tenant_id = n.tenant_id AND r.state = 'ACCEPTED'
           AND r.entry_part_id IS NOT DISTINCT FROM n.entry_part_id
           AND fx_difference_came(r, e) AND n.amount + r.difference = r.came)
$$;
"""

OPEN = f"""
-- The deals that a difference is of: that of its leg, or all of its net.
CREATE OR REPLACE FUNCTION fx_difference_deals(r fx_receiptdifference) RETURNS SETOF uuid
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT l.deal_id FROM fx_dealleg l WHERE l.id = r.leg_id
     UNION
    SELECT l.deal_id FROM fx_dealleg l WHERE l.net_id = r.net_id
$$;

-- Whether what it is for still waits for money: a leg by itself, or a net that we receive.
CREATE OR REPLACE FUNCTION fx_difference_is_open(r fx_receiptdifference, e treasury_bankentry)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM (
            SELECT l.account_id, l.amount FROM fx_dealleg l
             WHERE l.id = r.leg_id AND l.direction = 'RECEIVE' AND l.net_id IS NULL
               AND l.state = 'EXPECTED'
             UNION ALL
            SELECT n.account_id, n.amount FROM fx_settlementnet n
             WHERE n.id = r.net_id AND n.direction = 'RECEIVE' AND n.state = 'EXPECTED'
               AND fx_net_adds_up(n)) owed
         WHERE owed.account_id = e.account_id AND owed.amount + r.difference = r.came
           AND abs(r.difference) <= owed.amount * treasury_policy(
                   'FX_RECEIPT_DIFFERENCE_PCT_MAX', '{FX_RECEIPT_DIFFERENCE_PCT_MAX}')::numeric)
       AND NOT EXISTS (
           SELECT 1 FROM fx_deal d WHERE d.id IN (SELECT fx_difference_deals(r))
              AND d.state NOT IN ('EXECUTED', 'CONFIRMED'))
$$;

-- Whether an entry proves nothing else yet.
CREATE OR REPLACE FUNCTION fx_entry_is_free(e treasury_bankentry) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT NOT EXISTS (SELECT 1 FROM fx_dealleg o WHERE o.entry_id = e.id)
       AND NOT EXISTS (SELECT 1 FROM fx_settlementnet n WHERE n.entry_id = e.id)
       AND NOT EXISTS (SELECT 1 FROM treasury_expectedflow f
                        WHERE f.matched_entry_id = e.id AND f.state = 'MATCHED')
       AND NOT EXISTS (SELECT 1 FROM treasury_transfer t
                        WHERE e.id IN (t.credit_entry_id, t.return_entry_id))
$$;

-- Whether two people took a part of an entry for another amount than its own.
CREATE OR REPLACE FUNCTION fx_part_is_taken(part uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (SELECT 1 FROM fx_receiptdifference r
                    WHERE r.entry_part_id = part AND r.state = 'ACCEPTED')
$$;

-- Whether a flow is fulfilled by another part than this one, as two people accepted.
CREATE OR REPLACE FUNCTION fx_flow_is_explained(f treasury_expectedflow, part uuid)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (SELECT 1 FROM fx_receiptdifference r
                    WHERE r.entry_id = f.matched_entry_id AND r.entry_part_id <> part
                      AND r.state = 'ACCEPTED' AND fx_difference_explains(r, f))
$$;

-- Whether a part of an entry proves nothing else yet. A flow says by which entry it was fulfilled,
-- and not by which part: each one that this entry fulfils has to be another part, by what two
-- people accepted of it or by its amount. A part taken for another amount proves no second flow.
CREATE OR REPLACE FUNCTION fx_part_is_free(e treasury_bankentry, part uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT NOT EXISTS (SELECT 1 FROM fx_dealleg o WHERE o.entry_id = e.id
                          AND (o.entry_part_id IS NULL OR o.entry_part_id = part))
       AND NOT EXISTS (SELECT 1 FROM fx_settlementnet n WHERE n.entry_id = e.id
                          AND (n.entry_part_id IS NULL OR n.entry_part_id = part))
       AND NOT EXISTS (SELECT 1 FROM treasury_transfer t
                        WHERE t.credit_entry_id = e.id
                              AND (t.credit_part_id IS NULL OR t.credit_part_id = part)
                           OR t.return_entry_id = e.id
                              AND (t.return_part_id IS NULL OR t.return_part_id = part))
       AND NOT EXISTS (
           SELECT 1 FROM treasury_expectedflow f
            WHERE f.matched_entry_id = e.id AND f.state = 'MATCHED'
              AND NOT fx_flow_is_explained(f, part)
              AND NOT EXISTS (
                  SELECT 1 FROM treasury_entrypart o
                   WHERE o.entry_id = e.id AND o.id <> part AND o.amount = f.amount
                     AND NOT fx_part_is_taken(o.id)))
       AND (SELECT count(*) FROM treasury_expectedflow f
             WHERE f.matched_entry_id = e.id AND f.state = 'MATCHED'
               AND f.amount = (SELECT p.amount FROM treasury_entrypart p WHERE p.id = part)
               AND NOT fx_flow_is_explained(f, part))
        <= (SELECT count(*) FROM treasury_entrypart o
              JOIN treasury_entrypart p ON p.id = part AND o.amount = p.amount
             WHERE o.entry_id = e.id AND o.id <> part AND NOT fx_part_is_taken(o.id))
$$;
"""

GUARD = f"""
CREATE OR REPLACE FUNCTION fx_guard_difference() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    e treasury_bankentry;
    named text;
    currency text;
    settled_by uuid;
    steps text[] := ARRAY['state', 'checker_id', 'decided_at', 'note', 'amount_usd', 'usd_rate',
                          'reversed_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a difference is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM 1 FROM fx_deal d WHERE d.id IN (SELECT fx_difference_deals(NEW))
      ORDER BY d.id FOR SHARE;
    SELECT d.reference, l.currency, l.entry_id INTO named, currency, settled_by
      FROM fx_dealleg l JOIN fx_deal d ON d.id = l.deal_id WHERE l.id = NEW.leg_id;
    IF NEW.leg_id IS NULL THEN
        SELECT n.reference, n.currency, n.entry_id INTO named, currency, settled_by
          FROM fx_settlementnet n WHERE n.id = NEW.net_id;
    END IF;
    SELECT * INTO e FROM treasury_bankentry WHERE id = NEW.entry_id;
    IF TG_OP = 'INSERT' AND NEW.state <> 'PROPOSED' THEN
        RAISE EXCEPTION 'a difference is proposed first' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND (
        to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps
        OR NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS})
        OR NEW.state = OLD.state AND to_jsonb(NEW) <> to_jsonb(OLD)
        OR NEW.state = 'REVERSED' AND to_jsonb(NEW) - ARRAY['state', 'reversed_at', 'note']
                                   <> to_jsonb(OLD) - ARRAY['state', 'reversed_at', 'note']) THEN
        RAISE EXCEPTION 'a difference does not change' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('PROPOSED', 'ACCEPTED') AND NOT coalesce(
        e.state = 'COUNTED' AND e.status = 'BOOK'
        AND fx_difference_came(NEW, e) AND fx_difference_is_open(NEW, e)
        AND CASE WHEN NEW.entry_part_id IS NULL THEN fx_entry_is_free(e)
                 ELSE fx_part_is_free(e, NEW.entry_part_id) END, false) THEN
        RAISE EXCEPTION 'no entry of its bank is that difference of a leg of %', named
            USING ERRCODE = 'check_violation';
    END IF;
    IF fx_same_person(NEW.checker_id, NEW.maker_id) OR EXISTS (
        SELECT 1 FROM fx_deal d WHERE d.id IN (SELECT fx_difference_deals(NEW))
           AND (fx_same_person(NEW.maker_id, d.maker_id)
                OR fx_same_person(NEW.maker_id, d.executed_by_id)
                OR fx_same_person(NEW.checker_id, d.maker_id)
                OR fx_same_person(NEW.checker_id, d.executed_by_id))) THEN
        RAISE EXCEPTION 'two people who did not deal it accept what came of it'
            USING ERRCODE = 'check_violation';
    END IF;
    -- Rounded to the cent, and within the twentieth that dollar rates may be minutes apart.
    IF NEW.state = 'ACCEPTED' AND (
        NEW.amount_usd <> round(NEW.difference * NEW.usd_rate, 2)
        OR abs(abs(NEW.amount_usd) - treasury_worth_usd(abs(NEW.difference), currency))
           > 0.01 + 0.05 * treasury_worth_usd(abs(NEW.difference), currency)) THEN
        RAISE EXCEPTION 'what a difference is worth follows from its rate'
            USING ERRCODE = 'check_violation';
    END IF;
    -- What came counts: only once its entry does not settle it any more is it taken back, and
    -- while that counts, only once it does not fulfil what was expected either.
    IF NEW.state = 'REVERSED' AND OLD.state <> 'REVERSED' AND (
        settled_by IS NOT DISTINCT FROM NEW.entry_id
        OR e.state = 'COUNTED' AND e.status = 'BOOK' AND fx_difference_came(NEW, e)
           AND EXISTS (SELECT 1 FROM treasury_expectedflow f
                        WHERE f.matched_entry_id = e.id AND f.state = 'MATCHED'
                          AND fx_difference_explains(NEW, f))) THEN
        RAISE EXCEPTION 'a difference stands while its entry settles the leg'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_receiptdifference;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_receiptdifference
    FOR EACH ROW EXECUTE FUNCTION fx_guard_difference();
"""

BOOKED = f"""
-- Whether what was booked for a difference comes to what it is worth, or to nothing again.
CREATE OR REPLACE FUNCTION fx_difference_is_booked(r fx_receiptdifference) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce(sum(p.amount_usd), 0)
             = CASE r.state WHEN 'ACCEPTED' THEN r.amount_usd ELSE 0 END
           AND (r.state <> 'ACCEPTED' OR count(*) = 1)
      FROM fx_pnlentry p WHERE p.tenant_id = r.tenant_id AND p.difference_id = r.id
$$;

-- At commit: an accepted difference is booked, and one that was taken back is booked back.
CREATE OR REPLACE FUNCTION fx_difference_booked() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    -- Whoever hides the row by binding no tenant is refused as well.
    IF NOT EXISTS (SELECT 1 FROM fx_receiptdifference r
                    WHERE r.id = NEW.id AND fx_difference_is_booked(r)) THEN
        RAISE EXCEPTION 'a difference is booked as it was accepted, and booked back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'difference_is_booked';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS is_booked ON fx_receiptdifference;
CREATE CONSTRAINT TRIGGER is_booked AFTER INSERT OR UPDATE ON fx_receiptdifference
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fx_difference_booked();
"""
SQL = "SET LOCAL check_function_bodies = false;" + HOLDS + OPEN + GUARD + BOOKED
TRIGGERS = frozenset({"fx_receiptdifference.guard", "fx_receiptdifference.is_booked"})
