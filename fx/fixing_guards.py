"""The fixing of a day as the database holds it: one in force, corrected by two people."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

FIXINGS = f"""
-- Whether a person dealt one of the deals that are fixed by a day's fixing.
CREATE OR REPLACE FUNCTION fx_dealt_on(person uuid, x fx_dayfixing) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM fx_deal d
         WHERE d.kind = 'NDF' AND (d.base, d.quote, d.fixing_date) = (x.base, x.quote, x.fixed_on)
           AND d.state IN ('EXECUTED', 'CONFIRMED', 'SETTLED', 'FAILED')
           AND (fx_same_person(person, d.maker_id) OR fx_same_person(person, d.executed_by_id)))
$$;

-- The first fixing of a day is its first deal's; a correction takes two people who did not deal.
CREATE OR REPLACE FUNCTION fx_guard_day_fixing() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    steps text[] := ARRAY['state', 'checker_id', 'decided_at', 'note'];
    last integer;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a fixing is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        SELECT coalesce(max(x.version), 0) INTO last FROM fx_dayfixing x
         WHERE x.tenant_id = NEW.tenant_id
           AND (x.base, x.quote, x.fixed_on) = (NEW.base, NEW.quote, NEW.fixed_on);
        IF NEW.version <> last + 1
           OR NEW.state <> (CASE last WHEN 0 THEN 'IN_FORCE' ELSE 'PROPOSED' END) THEN
            RAISE EXCEPTION 'a fixing that a day has is corrected by two people'
                USING ERRCODE = 'check_violation';
        END IF;
    ELSIF to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps
       OR (OLD.state, NEW.state) NOT IN (VALUES ('PROPOSED', 'IN_FORCE'),
              ('PROPOSED', 'REFUSED'), ('IN_FORCE', 'REPLACED'))
       OR NEW.state = 'REPLACED' AND NOT EXISTS (
              SELECT 1 FROM fx_dayfixing x
               WHERE x.tenant_id = NEW.tenant_id AND x.state = 'PROPOSED'
                 AND (x.base, x.quote, x.fixed_on) = (NEW.base, NEW.quote, NEW.fixed_on)) THEN
        RAISE EXCEPTION 'a fixing does not change' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.version = 1 AND NEW.state <> 'REPLACED' AND fx_dealt_on(NEW.entered_by_id, NEW) THEN
        RAISE EXCEPTION 'somebody who did not deal fixes a day' USING ERRCODE = 'check_violation';
    END IF;
    -- Whoever proposed it may have dealt since: then it is refused, by somebody who did not.
    IF NEW.version > 1 AND NEW.state <> 'REPLACED' AND (
        NEW.state <> 'REFUSED' AND fx_dealt_on(NEW.entered_by_id, NEW)
        OR fx_dealt_on(NEW.checker_id, NEW)
        OR fx_same_person(NEW.entered_by_id, NEW.checker_id)) THEN
        RAISE EXCEPTION 'two people who did not deal correct a fixing'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_dayfixing;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_dayfixing
    FOR EACH ROW EXECUTE FUNCTION fx_guard_day_fixing();

-- At commit: a day that was fixed has one fixing in force, deals were fixed by it, and no deal that
-- stands is fixed otherwise. The first fixing is one of its deals', word for word.
CREATE OR REPLACE FUNCTION fx_day_holds() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    holds fx_dayfixing;
BEGIN
    SELECT * INTO holds FROM fx_dayfixing x
     WHERE x.tenant_id = NEW.tenant_id AND x.state = 'IN_FORCE'
       AND (x.base, x.quote, x.fixed_on) = (NEW.base, NEW.quote, NEW.fixed_on);
    IF holds.id IS NULL THEN
        RAISE EXCEPTION 'a day that was fixed keeps a fixing in force'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'day_fixing_in_force';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM fx_ndffixing f JOIN fx_deal d ON d.id = f.deal_id
         WHERE f.tenant_id = holds.tenant_id AND f.fixed_on = holds.fixed_on
           AND (d.base, d.quote) = (holds.base, holds.quote)
           AND (holds.version > 1
                OR (f.rate, f.said_by, f.from_rate_id, f.entered_by_id) IS NOT DISTINCT FROM
                   (holds.rate, holds.said_by, holds.from_rate_id, holds.entered_by_id))) THEN
        RAISE EXCEPTION 'the fixing of a day is that of its first deal'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'day_fixing_of_a_deal';
    END IF;
    IF EXISTS (
        SELECT 1 FROM fx_ndffixing f JOIN fx_deal d ON d.id = f.deal_id
         WHERE f.tenant_id = holds.tenant_id AND f.fixed_on = holds.fixed_on
           AND (d.base, d.quote) = (holds.base, holds.quote)
           AND d.state <> 'CANCELLED' AND f.rate <> holds.rate) THEN
        RAISE EXCEPTION 'every deal of a day follows its fixing'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'day_fixing_of_all_deals';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS day_holds ON fx_dayfixing;
CREATE CONSTRAINT TRIGGER day_holds AFTER INSERT OR UPDATE ON fx_dayfixing
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fx_day_holds();

-- At commit: a deal that was fixed, and was not cancelled, has the fixing of its day.
CREATE OR REPLACE FUNCTION fx_fixing_is_its_days() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM fx_ndffixing f
          JOIN fx_deal d ON d.id = f.deal_id
          LEFT JOIN fx_dayfixing x
            ON x.tenant_id = f.tenant_id AND x.fixed_on = f.fixed_on AND x.state = 'IN_FORCE'
           AND (x.base, x.quote) = (d.base, d.quote)
         WHERE f.id = NEW.id AND (d.state = 'CANCELLED' OR x.rate = f.rate)) THEN
        RAISE EXCEPTION 'every deal of a day follows its fixing'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'fixing_is_its_days';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS is_its_days ON fx_ndffixing;
CREATE CONSTRAINT TRIGGER is_its_days AFTER INSERT OR UPDATE ON fx_ndffixing
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fx_fixing_is_its_days();
"""
SQL = "SET LOCAL check_function_bodies = false;" + FIXINGS
TRIGGERS = frozenset({"fx_dayfixing.day_holds", "fx_dayfixing.guard", "fx_ndffixing.is_its_days"})
