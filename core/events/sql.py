"""The statement by which a consumer of many events takes whatever has arrived.

It costs what is taken, however long the queue: the oldest are read in the order of an index, and
nothing is sorted. One plan for a short queue and a long one. What is done stays at the beginning of
that index until it is cleared away, so whoever looks again and again says `since` when.
"""

_FREE = """c.consumer = who AND c.state = 'WAITING' AND c.consumer > ''
           AND c.due_at BETWEEN since AND at
           AND (c.locked_until IS NULL OR c.locked_until < at)
           -- What cannot be taken now takes no place from what can. An elder that is tried again
           -- comes later than its youngers in the order of the queue: they wait until it was taken.
           AND (c.aggregate = '' OR NOT EXISTS (
                SELECT 1 FROM core_delivery e
                 WHERE e.consumer = who AND e.aggregate = c.aggregate AND e.state = 'WAITING'
                   AND e.event_id < c.event_id
                   AND (NOT several OR e.due_at > c.due_at OR e.locked_until >= at)))"""
# What is taken: of what is free in the order of the queue, everything whose elders are in it too.
# The first of it has no elder, so something is taken wherever something is free.
_PLACED = f"""free AS MATERIALIZED (
        SELECT c.id, c.ctid AS place, c.event_id, c.aggregate FROM core_delivery c
         WHERE {_FREE}
         ORDER BY c.due_at, c.event_id LIMIT most FOR UPDATE SKIP LOCKED
    ), placed AS (
        SELECT f.id, f.place, f.event_id, f.aggregate,
               row_number() OVER (PARTITION BY f.aggregate ORDER BY f.event_id) - 1 AS elders
          FROM free f
    ), ours AS (
        SELECT p.* FROM placed p
         -- What others hold is missing here, and is waited for.
         WHERE p.aggregate = '' OR (several OR p.elders = 0) AND p.elders = (
               SELECT count(*) FROM core_delivery e
                WHERE e.consumer = who AND e.aggregate = p.aggregate AND e.state = 'WAITING'
                  AND e.event_id < p.event_id)
    )"""  # noqa: S608 - our own texts
TAKING = """
-- Take up to `most` waiting deliveries of a consumer, oldest first, and complete them: it counts
-- with the caller's commit, so effect and completion are one, and others pass by what is held.
-- A delivery waits for its elder of the same aggregate. `several`: its elders may be taken with it;
-- else one of an aggregate at a time. What was due before `since` is left for another look.
DROP FUNCTION IF EXISTS core_take_deliveries(text, integer, timestamptz, boolean);
CREATE OR REPLACE FUNCTION core_take_deliveries(
    who text, most integer, at timestamptz, several boolean, since timestamptz DEFAULT '-infinity')
RETURNS TABLE (
    event uuid, topic text, version smallint, occurred_at timestamptz, correlation uuid,
    causation uuid, producer text, payload jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
DECLARE
    places tid[];
    events uuid[];
BEGIN
    WITH @placed@
    SELECT array_agg(p.place), array_agg(p.event_id ORDER BY p.event_id) INTO places, events
      FROM ours p;
    IF places IS NOT NULL THEN
        PERFORM core_complete_deliveries(places, at);
        RETURN QUERY
        SELECT x.id, o.topic::text, o.version, o.occurred_at, o.correlation_id, o.causation_id,
               o.producer::text, o.payload
          FROM unnest(events) WITH ORDINALITY x(id, n)
         CROSS JOIN LATERAL (SELECT f.* FROM core_outboxevent f WHERE f.id = x.id LIMIT 1) o
         ORDER BY x.n;
    END IF;
END $$;

-- The caller holds these rows; they are found by where they are, whatever the planner believes.
CREATE OR REPLACE FUNCTION core_complete_deliveries(places tid[], at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
BEGIN
    -- Who led a batch has had its attempt counted before (`core_begin_deliveries`).
    UPDATE core_delivery d SET state = 'DONE', done_at = at, last_error = '',
           fence = d.fence + 1, attempts = greatest(d.attempts, 1)
     WHERE d.ctid = ANY(places) AND d.state = 'WAITING';
END $$;

-- Its rows pass through quickly: what is done is cleared away before there is much of it, and with
-- pauses, so that who waits for an event does not wait for that.
ALTER TABLE core_delivery SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 2, autovacuum_vacuum_cost_limit = 400);
""".replace("@placed@", _PLACED)

# Committed before the work, so that it outlives a worker that is killed over it: the delivery that
# leads a batch counts an attempt. One that counted before leads a smaller batch, all of which
# counts. It is taken back where the batch fails and can say so. One statement, which is its own
# transaction: it names its tenant itself, and leaves the caller's as it was.
BEGINNING = """
DROP FUNCTION IF EXISTS core_begin_deliveries(text, integer, timestamptz, boolean, integer);
CREATE OR REPLACE FUNCTION core_begin_deliveries(
    wall uuid, who text, most integer, at timestamptz, several boolean, alone_from integer,
    since timestamptz)
RETURNS TABLE (takes integer, begun uuid[], oldest timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
DECLARE
    leader record;
    bound_before text := coalesce(current_setting('app.tenant', true), '');
BEGIN
    PERFORM set_config('app.tenant', wall::text, true);
    -- Without elders: this one is taken, unless another worker is quicker.
    SELECT c.id, c.attempts, c.due_at INTO leader FROM core_delivery c
     WHERE @free@
       AND (c.aggregate = '' OR NOT EXISTS (
            SELECT 1 FROM core_delivery e
             WHERE e.consumer = who AND e.aggregate = c.aggregate AND e.state = 'WAITING'
               AND e.event_id < c.event_id))
     ORDER BY c.due_at, c.event_id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF leader.id IS NOT NULL THEN
        begun := ARRAY[leader.id]; oldest := leader.due_at; takes := 0;
        IF leader.attempts < alone_from THEN
            takes := greatest(1, most >> (2 * leader.attempts));
            IF leader.attempts > 0 THEN
                most := takes;
                WITH @placed@
                SELECT leader.id || coalesce(array_agg(p.id) FILTER (WHERE p.id <> leader.id), '{}')
                  INTO begun FROM ours p;
            END IF;
            UPDATE core_delivery d SET attempts = d.attempts + 1 WHERE d.id = ANY(begun);
            -- It counts kills: what a crash of the whole server forgets is not worth waiting for
            -- the disk.
            PERFORM set_config('synchronous_commit', 'off', true);
        END IF;
        RETURN NEXT;
    END IF;
    PERFORM set_config('app.tenant', bound_before, true);
END $$;

-- A process of the version before names no tenant: its transaction does.
CREATE OR REPLACE FUNCTION core_begin_deliveries(
    who text, most integer, at timestamptz, several boolean, alone_from integer,
    since timestamptz DEFAULT '-infinity')
RETURNS TABLE (takes integer, begun uuid[], oldest timestamptz)
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT * FROM core_begin_deliveries(
        current_setting('app.tenant')::uuid, who, most, at, several, alone_from, since)
$$;
""".replace("@free@", _FREE).replace("@placed@", _PLACED)
