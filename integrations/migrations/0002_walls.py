"""Tenant walls, audit trail and the guards of the message archive."""

from django.db import migrations

from core.audit.operations import Audited
from core.tenancy.operations import EnforceTenancy

GUARDS = r"""
CREATE FUNCTION integrations_guard_rows() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'messages are never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- A payment enters the queue; how it went on is written later, edge by edge.
    IF NEW.direction = 'OUT' AND (NEW.state <> 'QUEUED' OR NEW.fence <> 0 OR NEW.sent_at IS NOT NULL) THEN
        RAISE EXCEPTION 'an outbound message starts QUEUED, not %', NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.direction = 'IN' AND NEW.state NOT IN ('RECEIVED', 'SET_ASIDE') THEN
        RAISE EXCEPTION 'an inbound message starts RECEIVED or SET_ASIDE, not %', NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    -- Bytes that were too many to keep are recorded by digest and size only.
    IF octet_length(NEW.body) = 0 AND NEW.direction = 'IN' AND NEW.state = 'SET_ASIDE' THEN
        RETURN NEW;
    END IF;
    IF octet_length(NEW.body) <> NEW.size_bytes OR encode(sha256(NEW.body), 'hex') <> NEW.sha256 THEN
        RAISE EXCEPTION 'size or digest do not belong to the bytes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION integrations_guard_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF NEW.state = OLD.state THEN RETURN NEW; END IF;
    IF NOT (OLD.state || '>' || NEW.state = ANY (ARRAY[
        'QUEUED>SENDING', 'QUEUED>REFUSED',
        'SENDING>QUEUED', 'SENDING>SENT', 'SENDING>REFUSED', 'SENDING>UNKNOWN',
        'UNKNOWN>SENT', 'UNKNOWN>REFUSED',
        'RECEIVED>HANDLED', 'RECEIVED>SET_ASIDE', 'SET_ASIDE>RECEIVED'])) THEN
        RAISE EXCEPTION 'a message does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    -- One sender at a time: taking a message up always raises the fence.
    IF NEW.state = 'SENDING' AND NEW.fence <= OLD.fence THEN
        RAISE EXCEPTION 'a message is taken up under a higher fence' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION integrations_guard_content() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF (NEW.id, NEW.tenant_id, NEW.direction, NEW.connection_id, NEW.name, NEW.sha256, NEW.size_bytes,
        NEW.rail, NEW.reference, NEW.message_reference, NEW.attempt, NEW.created_at, NEW.expires_at)
       IS DISTINCT FROM
       (OLD.id, OLD.tenant_id, OLD.direction, OLD.connection_id, OLD.name, OLD.sha256, OLD.size_bytes,
        OLD.rail, OLD.reference, OLD.message_reference, OLD.attempt, OLD.created_at, OLD.expires_at)
       OR NEW.body IS DISTINCT FROM OLD.body
       OR (NEW.direction = 'OUT' AND NEW.kind <> OLD.kind) THEN
        RAISE EXCEPTION 'what a message says never changes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_rows BEFORE INSERT OR DELETE ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_rows();
CREATE TRIGGER guard_state BEFORE UPDATE OF state, fence ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_state();
-- Only when one of the columns is named: comparing 60 MB at every step of the state would cost.
CREATE TRIGGER guard_content BEFORE UPDATE OF
        id, tenant_id, direction, connection_id, kind, name, body, sha256, size_bytes, rail, reference,
        message_reference, attempt, created_at, expires_at ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_content();
REVOKE DELETE, TRUNCATE ON integrations_message FROM tms_app;
"""


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]

    operations = [
        EnforceTenancy("integrations"),
        Audited(
            "integrations",
            # The memory of a line changes with every request and decides nothing about money.
            exclude=("linestate", "linenote"),
            secret_columns=("secret", "body"),
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
