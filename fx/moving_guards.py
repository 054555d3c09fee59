"""On which day the money of a deal moves, as the database keeps it: agreed, or instructed anew."""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

MOVING = f"""
-- The last day on which money of a deal moves: that of the legs that stand in place of others, as
-- both are instructed anew for one day; otherwise the day that was agreed.
CREATE OR REPLACE FUNCTION fx_deal_moves() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    NEW.settles_on := coalesce((
        SELECT max(l.value_date) FROM fx_dealleg l
         WHERE l.deal_id = NEW.id AND (l.version > 1 OR l.value_date > NEW.value_date)
           AND l.state <> 'VOID'), NEW.value_date);
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS moves ON fx_deal;
CREATE TRIGGER moves BEFORE INSERT OR UPDATE ON fx_deal
    FOR EACH ROW EXECUTE FUNCTION fx_deal_moves();

CREATE OR REPLACE FUNCTION fx_leg_moves() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    UPDATE fx_deal SET settles_on = NULL
     WHERE id = NEW.deal_id AND (NEW.version > 1 OR NEW.value_date > value_date);
    RETURN NULL;
END $$;

-- By statement, and by its name after `audited_inserts`: the trail has the legs before their deals.
CREATE OR REPLACE FUNCTION fx_legs_move() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    UPDATE fx_deal SET settles_on = NULL
     WHERE id IN (SELECT l.deal_id FROM fresh l JOIN fx_deal d ON d.id = l.deal_id
                   WHERE l.version > 1 OR l.value_date > d.value_date);
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS moves_in ON fx_dealleg;
CREATE TRIGGER moves_in AFTER INSERT ON fx_dealleg REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION fx_legs_move();
DROP TRIGGER IF EXISTS moves_out ON fx_dealleg;
CREATE TRIGGER moves_out AFTER UPDATE ON fx_dealleg
    FOR EACH ROW WHEN ((OLD.state = 'VOID') <> (NEW.state = 'VOID'))
    EXECUTE FUNCTION fx_leg_moves();
"""
SQL = "SET LOCAL check_function_bodies = false;" + MOVING
TRIGGERS = frozenset({"fx_deal.moves", "fx_dealleg.moves_in", "fx_dealleg.moves_out"})
