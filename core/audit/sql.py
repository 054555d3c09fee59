"""The functions behind the audit trail.

They are SECURITY DEFINER, owned by the migrating role: the app role has no INSERT on the entries,
so it cannot write an entry that did not happen, and no UPDATE or DELETE, so it cannot unwrite one.
"""

FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION core_audit_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    secret text[] := string_to_array(TG_ARGV[0], ',');
    personal text[] := CASE TG_TABLE_NAME
        WHEN 'core_user' THEN ARRAY['display_name', 'username'] ELSE '{}' END;
    field text;
    key_column text := coalesce(TG_ARGV[1], 'id');
    old_row jsonb;
    new_row jsonb;
    was jsonb;
    became jsonb;
    wall uuid;
    entry bigint;
BEGIN
    -- Megabytes are not spelled out in JSON only to be left out again.
    IF 'body' = ANY (secret) THEN
        IF TG_OP <> 'INSERT' THEN OLD := jsonb_populate_record(OLD, '{"body": null}'); END IF;
        IF TG_OP <> 'DELETE' THEN NEW := jsonb_populate_record(NEW, '{"body": null}'); END IF;
    END IF;
    IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD) - secret; END IF;
    IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW) - secret; END IF;
    -- Rows without a tenant column (a user's roles, the tenant itself) count for the bound one.
    wall := coalesce((coalesce(new_row, old_row) ->> 'tenant_id')::uuid,
                     nullif(current_setting('app.tenant', true), '')::uuid);
    -- The tenant of a row is held by the row's own key; the bound one is only said to be there.
    -- Asked apart, so that a row that names its tenant costs no query.
    IF NOT coalesce(new_row, old_row) ? 'tenant_id' AND wall IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM core_tenant t WHERE t.id = wall) THEN
            RAISE EXCEPTION 'there is no such tenant' USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key)
          INTO was, became
          FROM jsonb_each(old_row) o WHERE new_row -> o.key IS DISTINCT FROM o.value;
        IF was IS NULL THEN RETURN NULL; END IF;
    ELSE
        was := old_row;
        became := new_row;
    END IF;
    -- Names stay out of the chain: the entry holds a salted digest, the text lies beside it.
    FOREACH field IN ARRAY personal LOOP
        IF was ->> field IS NOT NULL THEN
            was := was || jsonb_build_object(field, core_audit_personal(
                wall, (coalesce(new_row, old_row) ->> key_column)::uuid, was ->> field));
        END IF;
        IF became ->> field IS NOT NULL THEN
            became := became || jsonb_build_object(field, core_audit_personal(
                wall, (coalesce(new_row, old_row) ->> key_column)::uuid, became ->> field));
        END IF;
    END LOOP;
    INSERT INTO core_auditentry
        (tenant_id, at, actor, on_behalf_of, request, reason, database_role, table_name, row_id,
         action, before, after)
    VALUES (
        wall, clock_timestamp(),
        coalesce(nullif(current_setting('app.actor', true), ''), 'unknown'),
        nullif(current_setting('app.on_behalf_of', true), ''),
        coalesce(current_setting('app.request', true), ''),
        coalesce(current_setting('app.reason', true), ''),
        session_user, TG_TABLE_NAME, coalesce(new_row, old_row) ->> key_column, TG_OP, was, became)
    RETURNING id INTO entry;
    INSERT INTO core_auditpending (entry_id, tenant_id) VALUES (entry, wall);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION core_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE FUNCTION core_tenant_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT id FROM core_tenant ORDER BY id $$;

CREATE OR REPLACE FUNCTION core_find_login(sign_in_name text)
RETURNS TABLE (tenant_id uuid, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT u.tenant_id, u.id FROM core_user u WHERE u.username = lower(sign_in_name) $$;
"""

# What a statement inserted, in the order in which it did, in one go: the lines that
# `core_audit_changes` writes for one row after the other. For tables whose rows name their tenant
# and hold no personal text; for the others, and for changes and deletions, a row is asked alone.
INSERTS = r"""
CREATE OR REPLACE FUNCTION core_audit_inserts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
-- A table may have columns of these names.
#variable_conflict use_variable
DECLARE
    secret text[] := string_to_array(TG_ARGV[0], ',');
    key_column text := coalesce(TG_ARGV[1], 'id');
    who text := coalesce(nullif(current_setting('app.actor', true), ''), 'unknown');
    represented text := nullif(current_setting('app.on_behalf_of', true), '');
    asked text := coalesce(current_setting('app.request', true), '');
    because text := coalesce(current_setting('app.reason', true), '');
BEGIN
    -- Nothing is joined: entries are numbered in the order of the rows.
    WITH written AS (
        INSERT INTO core_auditentry
            (tenant_id, at, actor, on_behalf_of, request, reason, database_role, table_name,
             row_id, action, after)
        SELECT f.tenant_id, clock_timestamp(), who, represented, asked, because, session_user,
               TG_TABLE_NAME, f.line ->> key_column, 'INSERT', f.line
          FROM (SELECT r.tenant_id, to_jsonb(r) - secret AS line FROM fresh r OFFSET 0) f
        RETURNING id, tenant_id)
    INSERT INTO core_auditpending (entry_id, tenant_id) SELECT id, tenant_id FROM written;
    RETURN NULL;
END $$;
"""

# What the app role may say about an attempt is narrow: its own tenant, its own actor, a code, the
# template of a path, the id of one object. Beyond the bound per minute one entry says that more
# was left out, so that nobody fills the trail by being refused.
REFUSED = r"""
CREATE OR REPLACE FUNCTION core_audit_refused(
    p_method text, p_path text, p_object text, p_code text, p_status integer,
    p_on_behalf_of text, p_per_minute integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
    who text := nullif(current_setting('app.actor', true), '');
    said text := p_code;
    recent integer;
    entry bigint;
BEGIN
    IF wall IS NULL OR who IS NULL
       OR NOT EXISTS (SELECT FROM core_tenant t WHERE t.id = wall) THEN
        RAISE EXCEPTION 'a refusal belongs to a tenant and an actor'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF p_code !~ '^[a-z0-9_.-]{1,60}$' OR p_method !~ '^[A-Z]{1,10}$' OR p_status IS NULL
       OR length(p_path) > 200 OR length(p_object) > 64
       OR coalesce(length(p_on_behalf_of), 0) > 64 THEN
        RAISE EXCEPTION 'a refusal is told in codes, not in bodies'
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) INTO recent FROM core_auditentry e
     WHERE e.tenant_id = wall AND e.actor = who AND e.action = 'REFUSED'
       AND e.at > clock_timestamp() - interval '1 minute';
    IF recent > p_per_minute THEN RETURN false; END IF;
    IF recent = p_per_minute THEN said := 'more_refused_and_not_recorded'; END IF;
    INSERT INTO core_auditentry
        (tenant_id, at, actor, on_behalf_of, request, reason, database_role, table_name, row_id,
         action, after)
    VALUES (
        wall, clock_timestamp(), who, nullif(p_on_behalf_of, ''),
        coalesce(current_setting('app.request', true), ''), '', session_user, 'core_refused',
        p_object, 'REFUSED',
        jsonb_build_object(
            'method', p_method, 'path', p_path, 'code', said, 'status', p_status))
    RETURNING id INTO entry;
    INSERT INTO core_auditpending (entry_id, tenant_id) VALUES (entry, wall);
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION core_audit_refused(text, text, text, text, integer, text, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core_audit_refused(text, text, text, text, integer, text, integer)
    TO tms_app;
"""

# Personal text of the trail. Only the audit trigger adds it, only an erasure takes it away; without
# the salt nobody can tell from the digest in the chain which name it was.
PERSONAL = r"""
CREATE OR REPLACE FUNCTION core_audit_personal(p_tenant uuid, p_person uuid, p_text text)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    salt text := gen_random_uuid()::text || gen_random_uuid()::text;
    digest text := 'personal:' || encode(sha256(convert_to(salt || p_text, 'UTF8')), 'hex');
BEGIN
    INSERT INTO core_personaltext (id, tenant_id, person, digest, salt, text)
    VALUES (gen_random_uuid(), p_tenant, p_person, digest, salt, p_text);
    RETURN digest;
END $$;

CREATE OR REPLACE FUNCTION core_erase_person(p_person uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
    erased integer;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM core_user u WHERE u.id = p_person AND u.tenant_id = wall
                      AND NOT u.is_active AND u.username LIKE 'erased-%') THEN
        RAISE EXCEPTION 'only a person who left and has a pseudonym is erased'
            USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM core_personaltext WHERE tenant_id = wall AND person = p_person;
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN erased;
END $$;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON core_personaltext FROM tms_app;
REVOKE EXECUTE ON FUNCTION core_audit_personal(uuid, uuid, text), core_erase_person(uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core_erase_person(uuid) TO tms_app;
"""
