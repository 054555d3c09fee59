"""Whose the trail is, held without a key to the tenant on every line.

An entry takes its tenant from the row that changed, whose own key holds it; nobody but the audit
functions writes entries. A link belongs to the tenant of its entry, asked once a statement. That a
tenant stays and keeps its id is held by its own guard (`core.changes.guards`).
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
"""
