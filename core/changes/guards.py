"""Four eyes in the database: what even the app role's own SQL cannot do to governed rows.

`core_change_is_approved` answers no until the approvals room replaces it with its own knowledge.
"""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

# Fail closed: without approvals nothing is ever approved.
APPROVED = f"""
CREATE OR REPLACE FUNCTION core_change_is_approved(p_change uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$ SELECT false $$;
"""

QUESTIONS = f"""
CREATE OR REPLACE FUNCTION core_change_edges() RETURNS TABLE (source text, target text)
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    VALUES ('PROPOSED', 'APPLIED'), ('PROPOSED', 'FAILED'), ('PROPOSED', 'REJECTED'),
           ('PROPOSED', 'CANCELLED')
$$;

-- What is approved: everything that the request would write, and why.
CREATE OR REPLACE FUNCTION core_change_content(p_change uuid) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
               'target', c.target, 'row', c.row_id, 'operation', c.operation,
               'action', c.action, 'reason', c.reason, 'rows', c.rows)
      FROM core_changerequest c WHERE c.id = p_change
$$;

-- A tenant that cannot be seen counts as open: guards hold unless somebody knows better.
CREATE OR REPLACE FUNCTION core_tenant_is_open(p_tenant uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce((SELECT t.opened_at IS NOT NULL FROM core_tenant t WHERE t.id = p_tenant), true)
$$;

-- Encrypted columns enter comparisons as the digest of what is stored.
CREATE OR REPLACE FUNCTION core_with_digests(p_row jsonb, p_sealed text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT p_row || coalesce((
        SELECT jsonb_object_agg(s.name, 'sha256:' || encode(sha256(
                   convert_to(p_row ->> s.name, 'UTF8')), 'hex'))
          FROM unnest(p_sealed) AS s(name) WHERE p_row ->> s.name IS NOT NULL), '{{}}'::jsonb)
$$;

-- The same values in the types of the table, so that 100 and 100.0000 are one amount.
CREATE OR REPLACE FUNCTION core_as_row(p_table text, p_values jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    typed jsonb;
BEGIN
    EXECUTE format('SELECT to_jsonb(jsonb_populate_record(NULL::public.%I, $1))', p_table)
       INTO typed USING p_values;
    RETURN coalesce((SELECT jsonb_object_agg(k.name, typed -> k.name)
                       FROM jsonb_object_keys(p_values) AS k(name)), '{{}}'::jsonb);
END $$;

CREATE OR REPLACE FUNCTION core_row_holds(p_row jsonb, p_values jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT NOT EXISTS (SELECT 1 FROM jsonb_each(p_values) v
                        WHERE p_row -> v.key IS DISTINCT FROM v.value)
$$;

CREATE OR REPLACE FUNCTION core_change_covers(
    p_change uuid, p_table text, p_row text, p_operation text,
    p_was jsonb, p_became jsonb, p_governed text[]) RETURNS boolean
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    entry jsonb;
    wanted jsonb;
BEGIN
    SELECT r.entry INTO entry
      FROM core_changerequest c, jsonb_array_elements(c.rows) AS r(entry)
     WHERE c.id = p_change AND c.state = 'PROPOSED' AND r.entry ->> 'table' = p_table
       AND r.entry ->> 'id' = p_row AND r.entry ->> 'operation' = p_operation;
    IF entry IS NULL OR NOT core_change_is_approved(p_change) THEN RETURN false; END IF;
    IF p_operation <> 'INSERT'
       AND NOT core_row_holds(p_was, core_as_row(p_table, entry -> 'before')) THEN
        RETURN false;
    END IF;
    IF p_operation = 'DELETE' THEN RETURN true; END IF;
    wanted := core_as_row(p_table, entry -> 'after');
    RETURN core_row_holds(p_became, wanted) AND wanted ?& p_governed;
END $$;
"""

GOVERNED = f"""
CREATE OR REPLACE FUNCTION core_guard_governed() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    columns text[] := nullif(string_to_array(TG_ARGV[0], ','), '{{}}');
    sealed text[] := string_to_array(TG_ARGV[1], ',');
    mode text := coalesce(current_setting('app.change', true), '');
    was jsonb;
    became jsonb;
    wall uuid;
    touched text[];
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN became := to_jsonb(NEW); END IF;
    wall := coalesce((coalesce(became, was) ->> 'tenant_id')::uuid,
                     nullif(current_setting('app.tenant', true), '')::uuid);
    IF mode = 'draft' THEN
        INSERT INTO core_changedraft (tenant_id, table_name, row_id, operation, before, after)
        VALUES (wall, TG_TABLE_NAME, coalesce(became, was) ->> 'id', TG_OP, was, became);
        RETURN NULL;
    END IF;
    IF NOT core_tenant_is_open(wall) THEN RETURN NULL; END IF;
    touched := ARRAY(
        SELECT c.name FROM jsonb_object_keys(coalesce(became, was)) AS c(name)
         WHERE (columns IS NULL OR c.name = ANY (columns))
           AND (TG_OP <> 'UPDATE' OR was -> c.name IS DISTINCT FROM became -> c.name));
    IF cardinality(touched) = 0 THEN RETURN NULL; END IF;
    IF mode = '' OR NOT core_change_covers(
            mode::uuid, TG_TABLE_NAME, coalesce(became, was) ->> 'id', TG_OP,
            core_with_digests(was, sealed), core_with_digests(became, sealed), touched) THEN
        RAISE EXCEPTION '% on % needs a change request that another person approved',
            TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'core_governed';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION core_refuse_committed_draft() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    RAISE EXCEPTION 'a draft is rolled back, never committed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'core_draft_never_lasts';
END $$;
"""

REQUESTS = f"""
CREATE OR REPLACE FUNCTION core_guard_change() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    may_change text[] := ARRAY['state', 'decided_at', 'problem'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PROPOSED' OR NEW.problem <> '' THEN
            RAISE EXCEPTION 'a change starts as a proposal'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'core_change_born_proposed';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change THEN
        RAISE EXCEPTION 'what was proposed does not change: propose it anew'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'core_change_frozen';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM core_change_edges() e
                    WHERE e.source = OLD.state AND e.target = NEW.state) THEN
        RAISE EXCEPTION '% does not lead to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'core_change_edges';
    END IF;
    IF NEW.state IN ('APPLIED', 'FAILED') AND NOT core_change_is_approved(OLD.id) THEN
        RAISE EXCEPTION 'nobody approved this change'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'core_change_needs_approval';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION core_guard_tenant() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a tenant is never deleted'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'core_tenant_stays';
    END IF;
    IF NEW.id <> OLD.id THEN
        RAISE EXCEPTION 'a tenant keeps its id'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'core_tenant_stays';
    END IF;
    IF OLD.opened_at IS NOT NULL AND NEW.opened_at IS DISTINCT FROM OLD.opened_at THEN
        RAISE EXCEPTION 'an opened tenant stays open'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'core_tenant_stays_open';
    END IF;
    RETURN NEW;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER guard_change BEFORE INSERT OR UPDATE ON core_changerequest
    FOR EACH ROW EXECUTE FUNCTION core_guard_change();
CREATE TRIGGER guard_delete BEFORE DELETE ON core_changerequest
    FOR EACH ROW EXECUTE FUNCTION core_refuse_change();
CREATE CONSTRAINT TRIGGER never_lasts AFTER INSERT ON core_changedraft
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core_refuse_committed_draft();
CREATE TRIGGER guard_tenant BEFORE UPDATE OR DELETE ON core_tenant
    FOR EACH ROW EXECUTE FUNCTION core_guard_tenant();
REVOKE DELETE, TRUNCATE ON core_changerequest FROM tms_app;
REVOKE UPDATE, DELETE, TRUNCATE ON core_changedraft FROM tms_app;
REVOKE DELETE, TRUNCATE ON core_tenant FROM tms_app;
-- Roles are fixed in code: renaming one would hand its rights to everybody who holds another.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON auth_group, auth_group_permissions, auth_permission
    FROM tms_app;
"""

ALL = f"""{APPROVED}
{QUESTIONS}
{GOVERNED}
{REQUESTS}
{TRIGGERS}"""

# Switching a person off needs nobody else; every other change of who may do what does.
PERSON_GAINS = (
    "(NEW.is_active AND NOT OLD.is_active)"
    " OR (NEW.username, NEW.person_number, NEW.is_service, NEW.is_staff, NEW.is_superuser)"
    " IS DISTINCT FROM"
    " (OLD.username, OLD.person_number, OLD.is_service, OLD.is_staff, OLD.is_superuser)"
)
PERSON_COLUMNS = (
    "username", "person_number", "is_service", "is_staff", "is_superuser", "is_active",
)  # fmt: skip
