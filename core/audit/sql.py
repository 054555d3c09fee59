"""The trigger functions behind the audit trail.

They are SECURITY DEFINER, owned by the migrating role: the app role has no INSERT on the entries,
so it cannot write an entry that did not happen, and no UPDATE or DELETE, so it cannot unwrite one.
"""

FUNCTIONS = r"""
CREATE OR REPLACE FUNCTION core_audit_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    secret text[] := string_to_array(TG_ARGV[0], ',');
    key_column text := coalesce(TG_ARGV[1], 'id');
    old_row jsonb;
    new_row jsonb;
    was jsonb;
    became jsonb;
    wall uuid;
    entry bigint;
BEGIN
    IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD) - secret; END IF;
    IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW) - secret; END IF;
    -- Rows without a tenant column (a user's roles, the tenant itself) count for the bound one.
    wall := coalesce((coalesce(new_row, old_row) ->> 'tenant_id')::uuid,
                     nullif(current_setting('app.tenant', true), '')::uuid);
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key)
          INTO was, became
          FROM jsonb_each(old_row) o WHERE new_row -> o.key IS DISTINCT FROM o.value;
        IF was IS NULL THEN RETURN NULL; END IF;
    ELSE
        was := old_row;
        became := new_row;
    END IF;
    INSERT INTO core_auditentry
        (tenant_id, at, actor, request, reason, database_role, table_name, row_id, action,
         before, after)
    VALUES (
        wall, clock_timestamp(),
        coalesce(nullif(current_setting('app.actor', true), ''), 'unknown'),
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
