"""Whose the trail is, held without a key to the tenant on every line.

An entry takes its tenant from the row that changed, whose own key holds it; nobody but the audit
functions writes entries. A link belongs to the tenant of its entry, asked once a statement. Nobody
takes a tenant away whose trail exists.
"""

GUARDS = r"""
CREATE OR REPLACE FUNCTION core_audit_link_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh l WHERE NOT EXISTS (
           SELECT FROM core_auditentry e WHERE e.id = l.entry_id AND e.tenant_id = l.tenant_id))
    THEN
        RAISE EXCEPTION 'a link belongs to an entry of its own tenant'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS entry_of_own_tenant ON core_auditlink;
CREATE TRIGGER entry_of_own_tenant AFTER INSERT ON core_auditlink
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION core_audit_link_guard();

CREATE OR REPLACE FUNCTION core_audited_tenant_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (TG_OP = 'DELETE' OR NEW.id <> OLD.id)
       AND EXISTS (SELECT FROM core_auditentry e WHERE e.tenant_id = OLD.id) THEN
        RAISE EXCEPTION 'a tenant whose changes were recorded stays'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
DROP TRIGGER IF EXISTS audited_stays ON core_tenant;
CREATE TRIGGER audited_stays BEFORE DELETE OR UPDATE OF id ON core_tenant
    FOR EACH ROW EXECUTE FUNCTION core_audited_tenant_stays();
"""
