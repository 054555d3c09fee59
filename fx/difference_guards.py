"""Receipts of another amount, as the database holds them: two people, and what it says it is."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (("PROPOSED", "ACCEPTED"), ("PROPOSED", "REFUSED"), ("ACCEPTED", "REVERSED"))
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)
FX_RECEIPT_DIFFERENCE_PCT_MAX = "0.01"

DIFFERENCES = f"""
-- Whether two people accepted that an entry settles a leg although it is another amount.
CREATE OR REPLACE FUNCTION fx_difference_holds(l fx_dealleg, e treasury_bankentry) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_receiptdifference r
         WHERE r.leg_id = l.id AND r.entry_id = e.id AND r.tenant_id = l.tenant_id
           AND r.state = 'ACCEPTED' AND r.came = e.amount AND l.amount + r.difference = r.came)
       AND NOT EXISTS (SELECT 1 FROM treasury_entrypart x WHERE x.entry_id = e.id)
$$;

CREATE OR REPLACE FUNCTION fx_guard_difference() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    l fx_dealleg;
    d fx_deal;
    e treasury_bankentry;
    steps text[] := ARRAY['state', 'checker_id', 'decided_at', 'note', 'amount_usd', 'usd_rate',
                          'reversed_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a difference is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO l FROM fx_dealleg WHERE id = NEW.leg_id;
    SELECT * INTO d FROM fx_deal WHERE id = l.deal_id FOR SHARE;
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
        l.direction = 'RECEIVE' AND l.net_id IS NULL AND l.state = 'EXPECTED'
        AND d.state IN ('EXECUTED', 'CONFIRMED')
        AND e.account_id = l.account_id AND e.state = 'COUNTED' AND e.status = 'BOOK'
        AND e.amount = NEW.came AND l.amount + NEW.difference = NEW.came
        AND abs(NEW.difference) <= l.amount * treasury_policy(
                'FX_RECEIPT_DIFFERENCE_PCT_MAX', '{FX_RECEIPT_DIFFERENCE_PCT_MAX}')::numeric
        AND NOT EXISTS (SELECT 1 FROM fx_dealleg o WHERE o.entry_id = e.id)
        AND NOT EXISTS (SELECT 1 FROM fx_settlementnet n WHERE n.entry_id = e.id)
        AND NOT EXISTS (SELECT 1 FROM treasury_entrypart x WHERE x.entry_id = e.id)
        AND NOT EXISTS (SELECT 1 FROM treasury_expectedflow f
                         WHERE f.matched_entry_id = e.id AND f.state = 'MATCHED')
        AND NOT EXISTS (SELECT 1 FROM treasury_transfer t
                         WHERE e.id IN (t.credit_entry_id, t.return_entry_id)), false) THEN
        RAISE EXCEPTION 'no entry of its bank is that difference of a leg of %', d.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF fx_same_person(NEW.maker_id, d.maker_id) OR fx_same_person(NEW.maker_id, d.executed_by_id)
       OR fx_same_person(NEW.checker_id, d.maker_id)
       OR fx_same_person(NEW.checker_id, d.executed_by_id)
       OR fx_same_person(NEW.checker_id, NEW.maker_id) THEN
        RAISE EXCEPTION 'two people who did not deal it accept what came of it'
            USING ERRCODE = 'check_violation';
    END IF;
    -- Rounded to the cent, and within the twentieth that dollar rates may be minutes apart.
    IF NEW.state = 'ACCEPTED' AND (
        NEW.amount_usd <> round(NEW.difference * NEW.usd_rate, 2)
        OR abs(abs(NEW.amount_usd) - treasury_worth_usd(abs(NEW.difference), l.currency))
           > 0.01 + 0.05 * treasury_worth_usd(abs(NEW.difference), l.currency)) THEN
        RAISE EXCEPTION 'what a difference is worth follows from its rate'
            USING ERRCODE = 'check_violation';
    END IF;
    -- What came counts: only once its entry does not settle the leg any more is it taken back.
    IF NEW.state = 'REVERSED' AND OLD.state <> 'REVERSED'
       AND l.entry_id IS NOT DISTINCT FROM NEW.entry_id THEN
        RAISE EXCEPTION 'a difference stands while its entry settles the leg'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_receiptdifference;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_receiptdifference
    FOR EACH ROW EXECUTE FUNCTION fx_guard_difference();
"""
SQL = "SET LOCAL check_function_bodies = false;" + DIFFERENCES
TRIGGERS = frozenset({"fx_receiptdifference.guard"})
