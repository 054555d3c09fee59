"""What the database holds about valuations, for the app role's own SQL as well.

The formula of `fx.engine.valuation` stands here once more: the service values all deals with it in
one statement, and the guard holds every row against it. `d` is a deal, `v` its market.
"""

from typing import Final

_PATH = "SET search_path = pg_catalog, public, pg_temp"
_GAINED = "(CASE d.side WHEN 'BUY' THEN 1 ELSE -1 END) * d.base_amount * (v.forward - d.rate)"
PNL_QUOTE: Final = f"{_GAINED} * CASE d.kind WHEN 'NDF' THEN 1 ELSE v.discount END"
# Numerator first: it carries the places that the quotient is rounded from.
PNL_USD: Final = (
    f"round(CASE d.kind WHEN 'NDF' THEN {_GAINED} * v.usd_rate / v.forward"
    f" ELSE {_GAINED} * v.discount * v.usd_rate END, 2)"
)
# The same of sums that store no market: `v.worth` is discount times dollars, an NDF's the dollars
# alone; `v.by` is an NDF's forward. Rounded away from nought, so that the side may follow.
_WORTH = "d.base_amount * (v.forward - d.rate) * v.worth"
_ROUNDED = f"round(CASE WHEN v.by IS NULL THEN {_WORTH} ELSE {_WORTH} / v.by END, 2)"
WORTH_USD: Final = f"CASE d.side WHEN 'BUY' THEN {_ROUNDED} ELSE -{_ROUNDED} END"
# The same without discount, at the rate and the dollars of the day it was realised.
_BROUGHT = (
    "(CASE d.side WHEN 'BUY' THEN 1 ELSE -1 END) * d.base_amount * (f.rate - d.rate) * f.usd_rate"
)
REALISED_USD: Final = (
    f"round(CASE d.kind WHEN 'NDF' THEN {_BROUGHT} / f.rate ELSE {_BROUGHT} END, 2)"
)

VALUATIONS = f"""
-- Each row follows from its deal and its market, and belongs to a run that is not made yet.
CREATE OR REPLACE FUNCTION fx_guard_valuations() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT run_id FROM fresh) f
                 JOIN fx_revaluationrun r ON r.id = f.run_id) THEN
        RAISE EXCEPTION 'a revaluation that is made takes no more deals'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM fresh v JOIN fx_deal d ON d.id = v.deal_id
                WHERE d.rate IS NULL
                   OR v.gap = '' AND (v.pnl_usd <> {PNL_USD}
                      OR abs(v.pnl_quote - {PNL_QUOTE}) > 0.5)) THEN
        RAISE EXCEPTION 'the value of a deal does not follow from its market'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS follows ON fx_dealvaluation;
CREATE TRIGGER follows AFTER INSERT ON fx_dealvaluation
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION fx_guard_valuations();

-- A run says what its rows say, one version after the other, and no day before a later one.
CREATE OR REPLACE FUNCTION fx_guard_revaluation() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    found record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('fx.revaluation:' || NEW.tenant_id, 0));
    SELECT count(*) AS deals, count(*) FILTER (WHERE gap <> '') AS missing,
           count(*) FILTER (WHERE is_stale) AS stale, coalesce(sum(pnl_usd), 0) AS unrealised
      INTO found FROM fx_dealvaluation WHERE run_id = NEW.id;
    IF (NEW.deals_count, NEW.missing_count, NEW.stale_count, NEW.unrealised_usd)
       <> (found.deals, found.missing, found.stale, found.unrealised) THEN
        RAISE EXCEPTION 'the revaluation of % does not add its deals up', NEW.day
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.version <> 1 + coalesce((SELECT max(version) FROM fx_revaluationrun
                                     WHERE tenant_id = NEW.tenant_id AND day = NEW.day), 0) THEN
        RAISE EXCEPTION 'versions of % follow each other', NEW.day
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM fx_revaluationrun
                WHERE tenant_id = NEW.tenant_id AND day > NEW.day) THEN
        RAISE EXCEPTION 'a day after % has been valued: it stays as it is', NEW.day
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS adds_up ON fx_revaluationrun;
CREATE TRIGGER adds_up BEFORE INSERT ON fx_revaluationrun
    FOR EACH ROW EXECUTE FUNCTION fx_guard_revaluation();
"""

PNL = f"""
-- A reversal takes back exactly what was booked, and nothing is booked for a deal before what
-- stands for it is reversed. That an entry is reversed once, and followed once, is a unique key.
CREATE OR REPLACE FUNCTION fx_guard_pnl() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM fresh f LEFT JOIN fx_pnlentry e ON e.id = f.earlier_id
                WHERE f.kind = 'REVERSAL'
                  AND (e.id IS NULL OR e.kind NOT IN ('UNREALISED', 'REALISED')
                       OR e.deal_id <> f.deal_id
                       OR e.number <> f.number OR e.amount_usd <> -f.amount_usd
                       OR e.day > f.day)) THEN
        RAISE EXCEPTION 'a reversal takes back what was booked, no more and no less'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM fresh f JOIN fx_dealvaluation v ON v.id = f.valuation_id
                 LEFT JOIN fx_revaluationrun r ON r.id = v.run_id
                WHERE f.kind = 'UNREALISED'
                  AND (v.deal_id <> f.deal_id OR v.pnl_usd IS DISTINCT FROM f.amount_usd
                       OR r.day IS DISTINCT FROM f.day)) THEN
        RAISE EXCEPTION 'what is booked is the value of the deal on its day'
            USING ERRCODE = 'check_violation';
    END IF;
    -- Each asked by its key and never joined: what was reversed just now is in no statistics yet.
    IF EXISTS (SELECT 1 FROM fresh f
                WHERE f.kind IN ('UNREALISED', 'REALISED') AND f.earlier_id IS NOT NULL
                  AND ((SELECT r.id FROM fx_pnlentry r
                         WHERE r.tenant_id = f.tenant_id AND r.deal_id = f.deal_id
                           AND r.number = f.number - 1 AND r.kind = 'REVERSAL') IS NULL
                       OR (SELECT e.kind IN ('UNREALISED', 'REALISED') AND e.deal_id = f.deal_id
                                  AND e.number = f.number - 1
                             FROM fx_pnlentry e WHERE e.id = f.earlier_id) IS NOT TRUE)) THEN
        RAISE EXCEPTION 'what stands for a deal is reversed before anything follows it'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM fresh f JOIN fx_deal d ON d.id = f.deal_id
                WHERE f.kind = 'REALISED' AND f.amount_usd <> {REALISED_USD}) THEN
        RAISE EXCEPTION 'a realised result follows from the rate it was realised at'
            USING ERRCODE = 'check_violation';
    END IF;
    -- On the day it was accepted, in UTC, and back on the day it was taken back, never before.
    IF EXISTS (SELECT 1 FROM fresh f LEFT JOIN fx_receiptdifference r ON r.id = f.difference_id
                 LEFT JOIN fx_pnlentry e ON e.id = f.earlier_id
                WHERE f.difference_id IS NOT NULL
                  AND (f.deal_id NOT IN (SELECT fx_difference_deals(r))
                       OR CASE f.kind
                          WHEN 'DIFFERENCE' THEN r.state <> 'ACCEPTED'
                               OR (f.amount_usd, f.usd_rate) <> (r.amount_usd, r.usd_rate)
                               OR f.day <> (r.decided_at AT TIME ZONE 'UTC')::date
                          ELSE r.state <> 'REVERSED' OR e.kind IS DISTINCT FROM 'DIFFERENCE'
                               OR e.difference_id <> r.id OR e.deal_id <> f.deal_id
                               OR e.amount_usd <> -f.amount_usd
                               OR f.day <> greatest(
                                      e.day, (r.reversed_at AT TIME ZONE 'UTC')::date) END)) THEN
        RAISE EXCEPTION 'what is booked of a difference is what two people accepted'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS balances ON fx_pnlentry;
CREATE TRIGGER balances AFTER INSERT ON fx_pnlentry
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION fx_guard_pnl();
"""
# Rows that come in thousands are proven by their runs and deliveries: only changes are audited.
QUIET: Final = ("fx_forwardpoint", "fx_interestrate", "fx_dealvaluation", "fx_pnlentry")
AUDIT_QUIETLY = "".join(
    f"DROP TRIGGER IF EXISTS audited ON {table};"
    f"CREATE TRIGGER audited AFTER UPDATE OR DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION core_audit_changes('password', 'id');"
    for table in QUIET
)
KEPT: Final = (*QUIET, "fx_revaluationrun")
TRIGGERS: Final = frozenset(
    {
        *(f"{table}.append_only" for table in KEPT),
        "fx_dealvaluation.follows",
        "fx_revaluationrun.adds_up",
        "fx_pnlentry.balances",
    }
)
