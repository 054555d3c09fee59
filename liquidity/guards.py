"""What the database itself refuses: plans changing their money, patterns changing their past."""

EDGES = (("PLANNED", "CANCELLED"), ("PLANNED", "DONE"))
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)

PLANS = f"""
CREATE OR REPLACE FUNCTION liquidity_guard_plan() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    open_to_change text[] := ARRAY['state', 'closed_at', 'closing_reason'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a payout plan is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM treasury_bankaccount a
                    WHERE a.id = NEW.account_id AND a.currency = NEW.currency) THEN
        RAISE EXCEPTION 'a payout plan has the currency of its account'
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PLANNED' THEN
            RAISE EXCEPTION 'a payout plan is born as PLANNED, not as %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS}) THEN
        RAISE EXCEPTION 'a payout plan does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF to_jsonb(NEW) - open_to_change <> to_jsonb(OLD) - open_to_change THEN
        RAISE EXCEPTION 'a payout plan keeps its content: cancel it and plan anew'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON liquidity_payoutplan;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON liquidity_payoutplan
    FOR EACH ROW EXECUTE FUNCTION liquidity_guard_plan();
"""

PATTERNS = """
CREATE OR REPLACE FUNCTION liquidity_guard_pattern() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    open_to_change text[] := ARRAY['is_active', 'valid_to'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a recurring pattern is never deleted'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF to_jsonb(NEW) - open_to_change <> to_jsonb(OLD) - open_to_change THEN
        RAISE EXCEPTION 'a recurring pattern keeps its content: stop it and add another'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON liquidity_recurringpattern;
CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON liquidity_recurringpattern
    FOR EACH ROW EXECUTE FUNCTION liquidity_guard_pattern();
"""

ALL = PLANS + PATTERNS
