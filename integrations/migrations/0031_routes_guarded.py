"""Routes come under four eyes; a payment changes its line only while queued, and only by a route."""

from django.db import migrations

from core.audit.operations import Audited
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy

GUARDS = r"""
CREATE OR REPLACE FUNCTION integrations_guard_content() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.tenant_id, NEW.direction, NEW.name, NEW.sha256, NEW.size_bytes,
        NEW.rail, NEW.reference, NEW.message_reference, NEW.attempt, NEW.created_at, NEW.expires_at,
        NEW.routed_account)
       IS DISTINCT FROM
       (OLD.id, OLD.tenant_id, OLD.direction, OLD.name, OLD.sha256, OLD.size_bytes,
        OLD.rail, OLD.reference, OLD.message_reference, OLD.attempt, OLD.created_at, OLD.expires_at,
        OLD.routed_account)
       OR NEW.body IS DISTINCT FROM OLD.body
       OR (NEW.direction = 'OUT' AND NEW.kind <> OLD.kind) THEN
        RAISE EXCEPTION 'what a message says never changes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION integrations_guard_route() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.connection_id, NEW.routed_from_id) IS NOT DISTINCT FROM
           (OLD.connection_id, OLD.routed_from_id) THEN
            RETURN NEW;
        END IF;
        -- Queued means: the bank certainly does not have it. Nothing else may go another way.
        IF NEW.direction <> 'OUT' OR OLD.state <> 'QUEUED' OR NEW.state <> 'QUEUED' THEN
            RAISE EXCEPTION 'only a queued payment may leave by another line'
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.routed_from_id IS DISTINCT FROM COALESCE(OLD.routed_from_id, OLD.connection_id) THEN
            RAISE EXCEPTION 'a payment keeps the line that it was meant for'
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.routed_from_id IS NULL THEN RETURN NEW; END IF;
    IF NOT EXISTS (SELECT 1 FROM integrations_route r
                   WHERE r.tenant_id = NEW.tenant_id AND r.is_active
                     AND r.home_id = NEW.routed_from_id AND r.connection_id = NEW.connection_id
                     AND r.rail IN ('', NEW.rail)) THEN
        RAISE EXCEPTION 'no route leads there' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER guard_content ON integrations_message;
CREATE TRIGGER guard_content BEFORE UPDATE OF
        id, tenant_id, direction, kind, name, body, sha256, size_bytes, rail, reference,
        message_reference, attempt, created_at, expires_at, routed_account ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_content();
CREATE TRIGGER guard_route BEFORE INSERT OR UPDATE OF connection_id, routed_from_id
    ON integrations_message FOR EACH ROW EXECUTE FUNCTION integrations_guard_route();
"""


class Migration(migrations.Migration):
    dependencies = [("integrations", "0030_lines_and_routes"), ("core", "0004_four_eyes")]

    operations = [
        EnforceTenancy("integrations"),
        Audited(
            "integrations",
            exclude=("linestate", "linenote", "linesample"),
            secret_columns=("secret", "body"),
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
        Governed("integrations_route"),
    ]
