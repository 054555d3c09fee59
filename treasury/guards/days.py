"""The database keeps the sums per day: whatever moves an entry moves them in the same statement.

The app role may read them only. One trigger per kind of statement hands over what its rows add and
take away, so that 10,000 entries cost one change of each day they touch.
"""

_SUMS = """
        SELECT array_agg(tenant_id), array_agg(account_id), array_agg(booking_date),
               array_agg(value_date), array_agg(amount), array_agg(entries)
          INTO tenants, accounts, booked, valued, amounts, counts
          FROM (SELECT tenant_id, account_id, booking_date, value_date,
                       sum(amount) AS amount, sum(one)::integer AS entries
                  FROM ({rows}) changed
                 GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0 OR sum(one) <> 0) moved;
"""
_ADDED = """SELECT tenant_id, account_id, booking_date, value_date, amount, 1 AS one
                          FROM added WHERE state = 'COUNTED' AND status = 'BOOK'"""
_GONE = """SELECT tenant_id, account_id, booking_date, value_date, -amount, -1
                          FROM gone WHERE state = 'COUNTED' AND status = 'BOOK'"""
_GONE_ALONE = _GONE.replace("-amount, -1", "-amount AS amount, -1 AS one")


def _with_entry(rows: str) -> str:
    return rows.replace("SELECT tenant_id,", "SELECT id, tenant_id,")


# What nobody accepted must leave the days of a closed period as they are.
_CLOSED = """
            SELECT booking_date, value_date INTO shut
              FROM ({rows}) changed
             WHERE least(booking_date, value_date) <= treasury_closed_until(account_id)
               AND NOT treasury_late_is_accepted(id, one, amount, booking_date, value_date)
             GROUP BY account_id, booking_date, value_date
            HAVING sum(amount) <> 0 OR sum(one) <> 0 LIMIT 1;
"""
_BOTH = f"{_ADDED} UNION ALL {_GONE}"

_KEEP_NEWEST = """
    INSERT INTO treasury_newestbalance AS kept (id, tenant_id, account_id, value_date, balance)
    SELECT gen_random_uuid(), u.tenant_id, u.account_id, max(u.value_date), sum(u.amount)
      FROM unnest(tenants, accounts, valued, amounts)
           u(tenant_id, account_id, value_date, amount)
     GROUP BY u.tenant_id, u.account_id
    ON CONFLICT (tenant_id, account_id) DO UPDATE
       SET value_date = greatest(kept.value_date, excluded.value_date),
           balance = kept.balance + excluded.balance;
"""
_FORGET_NEWEST = """
    DELETE FROM treasury_newestbalance WHERE tenant_id = wall;
"""
_ADD_NEWEST = """
    INSERT INTO treasury_newestbalance (id, tenant_id, account_id, value_date, balance)
    SELECT gen_random_uuid(), m.tenant_id, m.account_id, max(m.value_date), sum(m.amount)
      FROM treasury_daymovement m WHERE m.tenant_id = wall GROUP BY m.tenant_id, m.account_id;
"""


FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION treasury_move_days(
    tenants uuid[], accounts uuid[], booked date[], valued date[], amounts numeric[],
    counts integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- One at a time per account, always in one order: a day between two others is found by both.
    PERFORM 1 FROM treasury_bankaccount a WHERE a.id = ANY(accounts)
      ORDER BY a.id FOR NO KEY UPDATE;
    INSERT INTO treasury_daymovement AS kept
           (id, tenant_id, account_id, booking_date, value_date, amount, entries_count)
    SELECT gen_random_uuid(), m.*
      FROM unnest(tenants, accounts, booked, valued, amounts, counts) m
    ON CONFLICT (tenant_id, account_id, booking_date, value_date) DO UPDATE
       SET amount = kept.amount + excluded.amount,
           entries_count = kept.entries_count + excluded.entries_count;
    INSERT INTO treasury_dailybalance (id, tenant_id, account_id, value_date, booked, balance)
    SELECT gen_random_uuid(), m.tenant_id, m.account_id, m.value_date, 0, coalesce((
               SELECT d.balance FROM treasury_dailybalance d
                WHERE d.tenant_id = m.tenant_id AND d.account_id = m.account_id
                  AND d.value_date < m.value_date
                ORDER BY d.value_date DESC LIMIT 1), 0)
      FROM (SELECT DISTINCT u.tenant_id, u.account_id, u.value_date
              FROM unnest(tenants, accounts, valued) u(tenant_id, account_id, value_date)) m
    ON CONFLICT (tenant_id, account_id, value_date) DO NOTHING;
    WITH moved AS MATERIALIZED (
        SELECT u.tenant_id, u.account_id, u.value_date, sum(u.amount) AS amount
          FROM unnest(tenants, accounts, valued, amounts)
               u(tenant_id, account_id, value_date, amount)
         GROUP BY 1, 2, 3
    ), since AS MATERIALIZED (
        SELECT tenant_id, account_id, min(value_date) AS first FROM moved GROUP BY 1, 2
    ), later AS (
        SELECT d.id, coalesce(m.amount, 0) AS amount,
               sum(coalesce(m.amount, 0)) OVER (
                   PARTITION BY d.account_id ORDER BY d.value_date) AS shift
          FROM since s
          JOIN treasury_dailybalance d ON d.tenant_id = s.tenant_id
           AND d.account_id = s.account_id AND d.value_date >= s.first
          LEFT JOIN moved m ON m.account_id = d.account_id AND m.value_date = d.value_date
    )
    UPDATE treasury_dailybalance d
       SET booked = d.booked + later.amount, balance = d.balance + later.shift
      FROM later WHERE d.id = later.id AND (later.amount <> 0 OR later.shift <> 0);
{_KEEP_NEWEST}END $$;
REVOKE EXECUTE ON FUNCTION
    treasury_move_days(uuid[], uuid[], date[], date[], numeric[], integer[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION treasury_keep_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    tenants uuid[]; accounts uuid[]; booked date[]; valued date[];
    amounts numeric[]; counts integer[]; shut record;
BEGIN
    IF TG_OP = 'INSERT' THEN {_SUMS.format(rows=_ADDED)}
    ELSIF TG_OP = 'DELETE' THEN {_SUMS.format(rows=_GONE_ALONE)}
    ELSE {_SUMS.format(rows=_BOTH)}
    END IF;
    IF tenants IS NOT NULL THEN
        IF treasury_any_day_closed(accounts, booked, valued) THEN
            IF TG_OP = 'INSERT' THEN {_CLOSED.format(rows=_with_entry(_ADDED))}
            ELSIF TG_OP = 'DELETE' THEN {_CLOSED.format(rows=_with_entry(_GONE_ALONE))}
            ELSE {_CLOSED.format(rows=_with_entry(_BOTH))}
            END IF;
            IF shut.booking_date IS NOT NULL THEN
                RAISE EXCEPTION 'the day % (value %) is closed; nobody accepted a change',
                    shut.booking_date, shut.value_date USING ERRCODE = 'check_violation';
            END IF;
        END IF;
        PERFORM treasury_move_days(tenants, accounts, booked, valued, amounts, counts);
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION treasury_keep_days() FROM PUBLIC;

CREATE OR REPLACE FUNCTION treasury_rebuild_days() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
    days bigint;
BEGIN
    LOCK TABLE treasury_bankentry IN SHARE MODE;
    DELETE FROM treasury_daymovement WHERE tenant_id = wall;
    DELETE FROM treasury_dailybalance WHERE tenant_id = wall;
{_FORGET_NEWEST}    INSERT INTO treasury_daymovement
           (id, tenant_id, account_id, booking_date, value_date, amount, entries_count)
    SELECT gen_random_uuid(), e.tenant_id, e.account_id, e.booking_date, e.value_date,
           sum(e.amount), count(*)
      FROM treasury_bankentry e
     WHERE e.tenant_id = wall AND e.state = 'COUNTED' AND e.status = 'BOOK'
     GROUP BY 2, 3, 4, 5;
    INSERT INTO treasury_dailybalance (id, tenant_id, account_id, value_date, booked, balance)
    SELECT gen_random_uuid(), m.tenant_id, m.account_id, m.value_date, sum(m.amount),
           sum(sum(m.amount)) OVER (PARTITION BY m.account_id ORDER BY m.value_date)
      FROM treasury_daymovement m WHERE m.tenant_id = wall
     GROUP BY m.tenant_id, m.account_id, m.value_date;
    GET DIAGNOSTICS days = ROW_COUNT;
{_ADD_NEWEST}    RETURN days;
END $$;
REVOKE EXECUTE ON FUNCTION treasury_rebuild_days() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION treasury_rebuild_days() TO tms_app;
REVOKE INSERT, UPDATE, DELETE
    ON treasury_daymovement, treasury_dailybalance, treasury_newestbalance FROM tms_app;
"""


KEEPING = """
CREATE TRIGGER days_added AFTER INSERT ON treasury_bankentry
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_keep_days();
CREATE TRIGGER days_changed AFTER UPDATE ON treasury_bankentry
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_keep_days();
CREATE TRIGGER days_gone AFTER DELETE ON treasury_bankentry
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_keep_days();
"""

TRIGGERS = {
    "treasury_bankentry.days_added",
    "treasury_bankentry.days_changed",
    "treasury_bankentry.days_gone",
}
