"""Calendars in the database: whether a day is open, and who may move a rail's window.

An override of one business date is not a change request: it takes effect within minutes, so it has
two people of its own. The guard asks for the hand of each of them.
"""

from typing import Final

_PATH: Final = "SET search_path = pg_catalog, public, pg_temp"

QUESTIONS: Final = f"""
-- Whether a calendar is open on a day, as far as it knows; without one, from Monday to Friday.
CREATE OR REPLACE FUNCTION calendars_is_open(calendar uuid, day date) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN calendar IS NULL THEN extract(isodow FROM day) < 6
    ELSE NOT EXISTS (
        SELECT 1 FROM calendars_weekendrule w
         WHERE w.calendar_id = calendar AND w.effective_from <= day
           AND (w.effective_to IS NULL OR day < w.effective_to)
           AND ((w.closed_weekdays::integer >> (extract(isodow FROM day)::integer - 1)) & 1 = 1
                OR w.alternate_weekday = extract(isodow FROM day)::integer - 1
                   AND (w.alternate_ordinals::integer
                        >> ((extract(day FROM day)::integer - 1) / 7)) & 1 = 1))
     AND NOT EXISTS (
        SELECT 1 FROM calendars_holiday h
         WHERE h.calendar_id = calendar AND h.date = day AND h.status <> 'CANCELLED'
           AND h.half_day_close_local IS NULL) END
$$;
"""

OVERRIDES: Final = f"""
CREATE OR REPLACE FUNCTION calendars_refuse(guard text, message text) RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'check_violation', CONSTRAINT = guard;
END $$;

CREATE OR REPLACE FUNCTION calendars_guard_override() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    hand text := current_setting('app.actor', true);
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.approved_by_id IS NOT NULL THEN
            PERFORM calendars_refuse('calendars_override_born_open',
                'an override waits for its second person');
        END IF;
        IF NEW.entered_by_id::text IS DISTINCT FROM hand THEN
            PERFORM calendars_refuse('calendars_override_own_hand',
                'nobody enters an override for somebody else');
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.approved_by_id IS NOT NULL OR NEW.approved_by_id IS NULL
       OR to_jsonb(NEW) - ARRAY['approved_by_id', 'approved_at']
          IS DISTINCT FROM to_jsonb(OLD) - ARRAY['approved_by_id', 'approved_at'] THEN
        PERFORM calendars_refuse('calendars_override_frozen',
            'an override is approved once, and never changed');
    END IF;
    IF NEW.approved_by_id::text IS DISTINCT FROM hand THEN
        PERFORM calendars_refuse('calendars_override_own_hand',
            'nobody approves an override for somebody else');
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM core_user u JOIN core_user_groups m ON m.user_id = u.id
          JOIN auth_group g ON g.id = m.group_id
         WHERE u.id = NEW.approved_by_id AND u.is_active AND NOT u.is_service
           AND g.name IN ('static_data', 'tenant_admin')
           AND u.person_number <> (SELECT f.person_number FROM core_user f
                                    WHERE f.id = OLD.entered_by_id)) THEN
        PERFORM calendars_refuse('calendars_override_other_person',
            'another person who looks after static data approves an override');
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard_insert ON calendars_railwindowoverride;
DROP TRIGGER IF EXISTS guard_update ON calendars_railwindowoverride;
DROP TRIGGER IF EXISTS guard_delete ON calendars_railwindowoverride;
CREATE TRIGGER guard_insert BEFORE INSERT ON calendars_railwindowoverride
    FOR EACH ROW EXECUTE FUNCTION calendars_guard_override();
CREATE TRIGGER guard_update BEFORE UPDATE ON calendars_railwindowoverride
    FOR EACH ROW EXECUTE FUNCTION calendars_guard_override();
CREATE TRIGGER guard_delete BEFORE DELETE ON calendars_railwindowoverride
    FOR EACH ROW EXECUTE FUNCTION core_refuse_change();
REVOKE DELETE, TRUNCATE ON calendars_railwindowoverride FROM tms_app;
"""

TRIGGERS: Final = frozenset(
    f"calendars_railwindowoverride.guard_{when}" for when in ("insert", "update", "delete")
)
