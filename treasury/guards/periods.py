"""A closed period changes only through a person; the database refuses what nobody accepted.

An acceptance opens one door once: for its own entry, from where it counts to where it is to
count, and in the transaction that accepted it.
"""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

QUESTIONS = f"""
-- The later of what the account and its company closed; NULL where nothing is closed.
CREATE OR REPLACE FUNCTION treasury_closed_until(account uuid) RETURNS date
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT greatest(a.closed_until, e.closed_until)
      FROM treasury_bankaccount a JOIN treasury_legalentity e ON e.id = a.entity_id
     WHERE a.id = treasury_closed_until.account
$$;

CREATE OR REPLACE FUNCTION treasury_any_day_closed(accounts uuid[], booked date[], valued date[])
RETURNS boolean LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    -- Closing waits for what is being booked this very moment, and this for a closing.
    PERFORM 1 FROM treasury_bankaccount a WHERE a.id = ANY(accounts)
      ORDER BY a.id FOR NO KEY UPDATE;
    PERFORM 1 FROM treasury_legalentity e
      WHERE e.id IN (SELECT a.entity_id FROM treasury_bankaccount a WHERE a.id = ANY(accounts))
      ORDER BY e.id FOR SHARE;
    RETURN EXISTS (
        SELECT 1 FROM unnest(accounts, booked, valued) u(account, booked, valued)
          JOIN treasury_bankaccount a ON a.id = u.account
          JOIN treasury_legalentity e ON e.id = a.entity_id
         WHERE least(u.booked, u.valued) <= greatest(a.closed_until, e.closed_until));
END $$;

-- `one` is 1 where the entry begins to count and -1 where it ceases to.
CREATE OR REPLACE FUNCTION treasury_late_is_accepted(
    entry uuid, one integer, amount numeric, booked date, valued date) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM treasury_lateentry l
         WHERE l.entry_id = entry AND l.state = 'ACCEPTED'
           AND l.decided_in = pg_current_xact_id()::text::bigint
           AND l.amount * one = treasury_late_is_accepted.amount
           AND booked = CASE one WHEN 1 THEN l.booking_after ELSE l.booking_before END
           AND valued = CASE one WHEN 1 THEN l.value_after ELSE l.value_before END)
$$;
"""

ACCEPTANCE = f"""
CREATE OR REPLACE FUNCTION treasury_guard_late_entry() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    person core_user := treasury_acting_person();
    may_change text[] := ARRAY['state', 'reason', 'decided_by_id', 'decided_at', 'decided_in'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a late entry is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'WAITING' OR NEW.decided_in IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM treasury_bankentry e WHERE e.id = NEW.entry_id
               AND e.account_id = NEW.account_id AND e.amount = NEW.amount) THEN
            RAISE EXCEPTION 'a late entry begins by waiting, as its entry is'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change
       OR (OLD.state, NEW.state) NOT IN (('WAITING', 'ACCEPTED'), ('WAITING', 'LEFT'),
           ('WAITING', 'VOID'), ('LEFT', 'ACCEPTED'), ('LEFT', 'VOID')) THEN
        RAISE EXCEPTION 'a late entry does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.decided_in := NULL;
    IF NEW.state = 'VOID' THEN
        NEW.reason := OLD.reason;
        NEW.decided_by_id := OLD.decided_by_id;
        NEW.decided_at := OLD.decided_at;
        RETURN NEW;
    END IF;
    IF person.id IS NULL OR person.is_service OR NOT person.is_active
       OR NEW.decided_by_id IS DISTINCT FROM person.id OR btrim(NEW.reason) = ''
       OR NOT EXISTS (SELECT 1 FROM core_user_groups m JOIN auth_group g ON g.id = m.group_id
                       WHERE m.user_id = person.id
                         AND g.name IN ('treasury_manager', 'back_office')) THEN
        RAISE EXCEPTION 'a person decides on a closed period in their own name, with a reason'
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.decided_at := clock_timestamp();
    IF NEW.state = 'ACCEPTED' THEN
        NEW.decided_in := pg_current_xact_id()::text::bigint;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_lateentry;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_lateentry
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_late_entry();
"""

TRIGGERS = {"treasury_lateentry.guard"}
