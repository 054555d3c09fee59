"""Segregation of duties and the access review in the database, whoever writes the rows."""

from typing import Final

from core.identity.duties import CONFLICTS


def _pairs_in_sql() -> str:
    pairs = sorted(tuple(sorted(pair)) for pair in CONFLICTS)
    return ", ".join(f"('{one}', '{other}')" for one, other in pairs)


# The same matrix in the database: whoever writes the row, the conflict is refused.
DUTIES: Final = f"""
CREATE OR REPLACE FUNCTION core_duties_refuse(p_user uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    who core_user%ROWTYPE;
    pair record;
BEGIN
    SELECT * INTO who FROM core_user WHERE id = p_user;
    IF NOT FOUND OR NOT who.is_active OR who.is_service THEN
        RETURN;
    END IF;
    -- One at a time for each person: two transactions cannot each add one half of a conflict.
    PERFORM pg_advisory_xact_lock(
        hashtextextended(who.tenant_id::text || ' ' || who.person_number, 5105));
    SELECT one, other INTO pair
      FROM (VALUES {_pairs_in_sql()}) AS matrix (one, other)
     WHERE (SELECT count(DISTINCT g.name)
              FROM core_user u
              JOIN core_user_groups m ON m.user_id = u.id
              JOIN auth_group g ON g.id = m.group_id
             WHERE u.tenant_id = who.tenant_id AND u.person_number = who.person_number
               AND u.is_active AND NOT u.is_service AND g.name IN (one, other)) = 2
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'one person must not hold both % and %', pair.one, pair.other
            USING ERRCODE = 'check_violation', CONSTRAINT = 'segregation_of_duties';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION core_duties_of_role() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM core_duties_refuse(NEW.user_id);
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS duties ON core_user_groups;
CREATE TRIGGER duties AFTER INSERT OR UPDATE ON core_user_groups
    FOR EACH ROW EXECUTE FUNCTION core_duties_of_role();

CREATE OR REPLACE FUNCTION core_duties_of_person() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM core_duties_refuse(NEW.id);
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS duties ON core_user;
CREATE TRIGGER duties AFTER UPDATE OF is_active, is_service, person_number ON core_user
    FOR EACH ROW
    WHEN ((OLD.is_active, OLD.is_service, OLD.person_number)
          IS DISTINCT FROM (NEW.is_active, NEW.is_service, NEW.person_number))
    EXECUTE FUNCTION core_duties_of_person();
REVOKE EXECUTE ON FUNCTION core_duties_refuse(uuid) FROM PUBLIC;
"""

REVIEWS: Final = """
CREATE OR REPLACE FUNCTION core_review_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.verdict <> ''
       OR (to_jsonb(NEW) - ARRAY['verdict', 'words', 'decided_by_id', 'decided_at'])
          IS DISTINCT FROM
          (to_jsonb(OLD) - ARRAY['verdict', 'words', 'decided_by_id', 'decided_at'])
    THEN
        RAISE EXCEPTION '% on % is refused: an item is decided once', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT FROM core_user u WHERE u.id = NEW.decided_by_id
                AND u.tenant_id = NEW.tenant_id AND u.person_number = NEW.person_number) THEN
        RAISE EXCEPTION 'nobody reviews their own access'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'access_review_not_by_oneself';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS review_guard ON core_accessreviewitem;
CREATE TRIGGER review_guard BEFORE UPDATE OR DELETE ON core_accessreviewitem
    FOR EACH ROW EXECUTE FUNCTION core_review_guard();
"""
