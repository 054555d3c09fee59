"""Broken glass: how much and how often, and until when somebody else looks at it."""

from approvals.constants import (
    BREAK_GLASS_DAY_USD_MAX,
    BREAK_GLASS_PER_DAY_MAX,
    BREAK_GLASS_USD_MAX,
)
from approvals.guards.path import PATH as _PATH

GLASS = f"""
CREATE OR REPLACE FUNCTION approvals_glass_usd_max() RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT approvals_policy('BREAK_GLASS_USD_MAX', '{BREAK_GLASS_USD_MAX}')::numeric
$$;

-- What stands against one more request of this worth over broken glass; NULL when nothing does.
-- Requests are counted one after the other, by the clock of the database.
CREATE OR REPLACE FUNCTION approvals_glass_refuses(figure numeric) RETURNS text
LANGUAGE plpgsql VOLATILE {_PATH} AS $$
DECLARE
    often integer;
    live numeric;
BEGIN
    IF coalesce(figure > approvals_glass_usd_max(), true) THEN RETURN 'amount'; END IF;
    PERFORM pg_advisory_xact_lock(
        hashtextextended('approvals_break_glass ' || current_setting('app.tenant', true), 0));
    SELECT count(*), coalesce(sum(q.usd_equivalent) FILTER (
               WHERE q.state IN ('PENDING', 'APPROVED')), 0)
      INTO often, live
      FROM approvals_approvalrequest q
     WHERE q.break_glass IS NOT NULL
       AND coalesce(q.recorded_at, q.submitted_at) > clock_timestamp() - interval '24 hours';
    IF often >= approvals_policy(
        'BREAK_GLASS_PER_DAY_MAX', '{BREAK_GLASS_PER_DAY_MAX}')::integer THEN
        RETURN 'count';
    END IF;
    IF live + figure > approvals_policy(
        'BREAK_GLASS_DAY_USD_MAX', '{BREAK_GLASS_DAY_USD_MAX}')::numeric THEN
        RETURN 'amount of a day';
    END IF;
    RETURN NULL;
END $$;

-- The same hour of the next business day where the money settles: by the calendar of the rail, else
-- the one of the currency; without either every day but Saturday and Sunday counts.
CREATE OR REPLACE FUNCTION approvals_review_due(
    request approvals_approvalrequest, at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE {_PATH} AS $$
DECLARE
    kept calendars_calendar%ROWTYPE;
    zone text;
    present timestamp;
    ahead integer;
BEGIN
    SELECT c.* INTO kept FROM calendars_calendar c
      LEFT JOIN calendars_rail r ON r.calendar_id = c.id AND r.code = request.rail
       AND r.currency = request.currency
     WHERE r.id IS NOT NULL OR (c.is_settlement AND c.currency = request.currency)
     ORDER BY (r.id IS NULL) LIMIT 1;
    zone := coalesce(kept.tz, 'UTC');
    present := at AT TIME ZONE zone;
    FOR ahead IN 1 .. 30 LOOP
        IF calendars_is_open(kept.id, present::date + ahead) THEN
            RETURN (present + ahead * interval '1 day') AT TIME ZONE zone;
        END IF;
    END LOOP;
    RETURN at + interval '1 day';
END $$;
"""
