"""What a batch booking holds: its parts are its entry to the cent, and prove nothing but it."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

PARTS = f"""
-- Whether an entry books an amount: by itself, or as the part of it that is named.
CREATE OR REPLACE FUNCTION treasury_entry_books(e treasury_bankentry, part uuid, wanted numeric)
RETURNS boolean LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN part IS NULL THEN e.amount = wanted
                ELSE EXISTS (SELECT 1 FROM treasury_entrypart p
                              WHERE p.id = part AND p.entry_id = e.id AND p.tenant_id = e.tenant_id
                                AND p.amount = wanted) END
$$;

-- At commit, once for each entry: the last of its parts looks at all of them.
CREATE OR REPLACE FUNCTION treasury_parts_are_whole() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    booked numeric;
    listed numeric;
    several bigint;
    last bigint;
BEGIN
    SELECT max(number) INTO last FROM treasury_entrypart WHERE entry_id = NEW.entry_id
        AND tenant_id = NEW.tenant_id;
    IF NEW.number < last THEN
        RETURN NULL;
    END IF;
    SELECT e.amount INTO booked FROM treasury_bankentry e
     WHERE e.id = NEW.entry_id AND e.tenant_id = NEW.tenant_id;
    SELECT sum(p.amount), count(*) INTO listed, several FROM treasury_entrypart p
     WHERE p.entry_id = NEW.entry_id AND p.tenant_id = NEW.tenant_id;
    IF booked IS DISTINCT FROM listed OR several <> last THEN
        RAISE EXCEPTION 'The % parts of an entry of % come to %.', several, booked, listed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_parts_add_up';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS parts_are_whole ON treasury_entrypart;
CREATE CONSTRAINT TRIGGER parts_are_whole AFTER INSERT ON treasury_entrypart
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treasury_parts_are_whole();

-- A part proves a transfer only together with the entry that it is in.
ALTER TABLE treasury_entrypart DROP CONSTRAINT IF EXISTS entry_part_in_entry CASCADE;
ALTER TABLE treasury_entrypart ADD CONSTRAINT entry_part_in_entry UNIQUE (tenant_id, id, entry_id);
""" + "".join(
    f"""
ALTER TABLE treasury_transfer ADD CONSTRAINT transfer_{side}_part_of_entry
    FOREIGN KEY (tenant_id, {side}_part_id, {side}_entry_id)
    REFERENCES treasury_entrypart (tenant_id, id, entry_id);
"""
    for side in ("debit", "credit", "return")
)
