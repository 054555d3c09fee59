"""What the database holds of messages, whoever writes: bytes, states, ways and files.

Kept as SQL text and applied by a migration.
"""

ROWS = r"""
CREATE OR REPLACE FUNCTION integrations_guard_rows() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'messages are never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- A payment enters the queue; how it went on is written later, edge by edge.
    IF NEW.direction = 'OUT'
       AND (NEW.state <> 'QUEUED' OR NEW.fence <> 0 OR NEW.sent_at IS NOT NULL) THEN
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
    IF octet_length(NEW.body) <> NEW.size_bytes
       OR encode(sha256(NEW.body), 'hex') <> NEW.sha256 THEN
        RAISE EXCEPTION 'size or digest do not belong to the bytes'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_rows BEFORE INSERT OR DELETE ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_rows();
"""

STATES = r"""
CREATE OR REPLACE FUNCTION integrations_guard_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
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
        RAISE EXCEPTION 'a message is taken up under a higher fence'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_state BEFORE UPDATE OF state, fence ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_state();
"""

CONTENT = r"""
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
        RAISE EXCEPTION 'what a message says never changes'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- Only when one of the columns is named: comparing 60 MB at every step of the state would cost.
CREATE TRIGGER guard_content BEFORE UPDATE OF
        id, tenant_id, direction, kind, name, body, sha256, size_bytes, rail, reference,
        message_reference, attempt, created_at, expires_at, routed_account ON integrations_message
    FOR EACH ROW EXECUTE FUNCTION integrations_guard_content();
"""

ROUTES = r"""
CREATE OR REPLACE FUNCTION integrations_guard_route() RETURNS trigger
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

CREATE TRIGGER guard_route BEFORE INSERT OR UPDATE OF connection_id, routed_from_id
    ON integrations_message FOR EACH ROW EXECUTE FUNCTION integrations_guard_route();
"""

CARRIERS = r"""
CREATE OR REPLACE FUNCTION integrations_guard_carrier() RETURNS trigger
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
        RAISE EXCEPTION 'what a message says never changes'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.carrier_id IS DISTINCT FROM OLD.carrier_id THEN
        SELECT * INTO file FROM integrations_message m
         WHERE m.id = coalesce(NEW.carrier_id, OLD.carrier_id) FOR UPDATE;
        IF OLD.state <> 'QUEUED' OR NEW.state <> 'QUEUED' THEN
            RAISE EXCEPTION 'only a queued order changes its file'
                USING ERRCODE = 'check_violation';
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
        SELECT 1 FROM integrations_message m
         WHERE m.id = NEW.carrier_id AND m.state = NEW.state) THEN
        RAISE EXCEPTION 'order % goes the way of its file', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_carrier BEFORE INSERT OR UPDATE OF state, carrier_id, orders_count, group_key
    ON integrations_message FOR EACH ROW EXECUTE FUNCTION integrations_guard_carrier();
REVOKE EXECUTE ON FUNCTION integrations_guard_carrier() FROM PUBLIC;
"""

KEPT = """
REVOKE DELETE, TRUNCATE ON integrations_message FROM tms_app;
ALTER TABLE integrations_bankprofile
    ADD CONSTRAINT bank_profile_sides_are_objects
    CHECK (jsonb_typeof(reading) = 'object' AND jsonb_typeof(writing) = 'object');
"""

ALL = ROWS + STATES + CONTENT + ROUTES + CARRIERS + KEPT
