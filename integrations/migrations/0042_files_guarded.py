"""Orders that share a file go its way, and only its way."""

from django.db import migrations

GUARDS = r"""
CREATE FUNCTION integrations_guard_carrier() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    file integrations_message;
    found integer;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.carrier_id IS NOT NULL THEN
            RAISE EXCEPTION 'an order is queued by itself before a file carries it'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.orders_count, NEW.group_key) IS DISTINCT FROM (OLD.orders_count, OLD.group_key) THEN
        RAISE EXCEPTION 'what a message says never changes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.carrier_id IS DISTINCT FROM OLD.carrier_id THEN
        SELECT * INTO file FROM integrations_message m
         WHERE m.id = coalesce(NEW.carrier_id, OLD.carrier_id) FOR UPDATE;
        IF OLD.state <> 'QUEUED' OR NEW.state <> 'QUEUED' THEN
            RAISE EXCEPTION 'only a queued order changes its file' USING ERRCODE = 'check_violation';
        END IF;
        -- Into a file that has not left, of its own kind and line; out of one that never will.
        IF NEW.carrier_id IS NOT NULL AND (
               OLD.carrier_id IS NOT NULL OR file.orders_count = 0 OR file.state <> 'QUEUED'
               OR file.fence <> 0 OR file.kind <> NEW.kind OR file.rail <> NEW.rail
               OR file.connection_id <> NEW.connection_id
               OR file.routed_from_id IS DISTINCT FROM NEW.routed_from_id)
           OR NEW.carrier_id IS NULL AND file.state <> 'REFUSED' THEN
            RAISE EXCEPTION 'order % does not belong into that file', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.state = OLD.state THEN RETURN NEW; END IF;
    IF NEW.orders_count > 0 AND NEW.state = 'SENDING' THEN
        PERFORM 1 FROM integrations_message m WHERE m.carrier_id = NEW.id FOR UPDATE;
        SELECT count(*) INTO found FROM integrations_message m
         WHERE m.carrier_id = NEW.id AND m.state = 'QUEUED';
        IF found <> NEW.orders_count THEN
            RAISE EXCEPTION 'file % carries % orders, not %', NEW.reference, found, NEW.orders_count
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    -- What shares a file shares its way; only an unknown outcome ends for each by itself.
    IF NEW.carrier_id IS NOT NULL AND OLD.state <> 'UNKNOWN' AND NOT EXISTS (
        SELECT 1 FROM integrations_message m WHERE m.id = NEW.carrier_id AND m.state = NEW.state) THEN
        RAISE EXCEPTION 'order % goes the way of its file', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_carrier BEFORE INSERT OR UPDATE OF state, carrier_id, orders_count, group_key
    ON integrations_message FOR EACH ROW EXECUTE FUNCTION integrations_guard_carrier();
REVOKE EXECUTE ON FUNCTION integrations_guard_carrier() FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("integrations", "0041_files_of_orders")]

    operations = [
        migrations.RunSQL(
            'ALTER TABLE integrations_message ADD CONSTRAINT integrations_message_carrier_id_same_tenant'
            ' FOREIGN KEY (tenant_id, carrier_id) REFERENCES integrations_message (tenant_id, id)'
            " DEFERRABLE INITIALLY DEFERRED",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
