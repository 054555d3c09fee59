"""The rules of deals as the database holds them, for the app role's own SQL as well."""

from fx import (
    closing_guards,
    difference_guards,
    fixing_guards,
    leg_guards,
    moving_guards,
    net_guards,
)

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (
    ("DRAFT", "SUBMITTED"),
    ("DRAFT", "CANCELLED"),
    ("SUBMITTED", "DRAFT"),
    ("SUBMITTED", "APPROVED"),
    ("SUBMITTED", "REJECTED"),
    ("SUBMITTED", "CANCELLED"),
    ("SUBMITTED", "EXPIRED"),
    ("APPROVED", "CANCELLED"),
    ("APPROVED", "EXPIRED"),
    ("APPROVED", "EXECUTED"),
    ("EXECUTED", "CONFIRMED"),
    ("EXECUTED", "FAILED"),
    ("CONFIRMED", "FAILED"),
    ("FAILED", "CONFIRMED"),
    ("CONFIRMED", "SETTLED"),
    ("SETTLED", "CONFIRMED"),
    ("SETTLED", "FAILED"),
    ("EXECUTED", "CANCELLED"),
    ("CONFIRMED", "CANCELLED"),
    ("FAILED", "CANCELLED"),
)
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)
MAX_SINGLE_DEAL_USD = "5000000"
FX_SLIPPAGE_PCT = "0.001"
FX_OFF_MARKET_PCT = "0.01"
FX_FORWARD_PCT_A_YEAR = "0.05"

DEAL = f"""
-- What checkers approve: everything that is agreed, and where both sides are paid.
CREATE OR REPLACE FUNCTION fx_deal_content(d fx_deal) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'deal', d.id, 'reference', d.reference, 'version', d.version, 'kind', d.kind,
        'pair', d.base || '/' || d.quote, 'side', d.side, 'dealt_currency', d.dealt_currency,
        'dealt_amount', (CASE WHEN d.dealt_currency = d.base THEN d.base_amount
                              ELSE d.quote_amount END)::text,
        'limit_rate', d.limit_rate::text, 'value_date', d.value_date,
        'fixing_date', d.fixing_date, 'counterparty', d.counterparty_id,
        'pay_account', p.number_index, 'receive_account', r.number_index,
        'instruction', (
            SELECT jsonb_build_object('id', s.id, 'number', b.number_index, 'bank', b.bank_bic)
              FROM fx_settlementinstruction s
              JOIN treasury_beneficiary b ON b.id = s.beneficiary_id
             WHERE s.id = d.instruction_id))
        || CASE WHEN d.closes_id IS NULL THEN '{{}}'::jsonb
                ELSE jsonb_build_object('closes', d.closes_id) END
      FROM treasury_bankaccount p, treasury_bankaccount r
     WHERE p.id = d.pay_account_id AND r.id = d.receive_account_id
       AND p.currency = CASE WHEN d.side = 'BUY' THEN d.quote ELSE d.base END
       AND r.currency = CASE WHEN d.side = 'BUY' THEN d.base ELSE d.quote END
       AND (d.instruction_id IS NULL OR EXISTS (
            SELECT 1 FROM fx_settlementinstruction s
             WHERE s.id = d.instruction_id AND s.counterparty_id = d.counterparty_id
               AND s.currency = p.currency))
$$;

CREATE OR REPLACE FUNCTION fx_same_person(one uuid, other uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (SELECT 1 FROM core_user a JOIN core_user b ON a.person_number = b.person_number
                    WHERE a.id = one AND b.id = other)
$$;

-- The least that a deal may be said to be worth in dollars; NULL where the treasury knows neither
-- currency. The treasury's rates may be minutes older than those the deal was held against: four
-- or five percent are left for that. The rate may lie off the middle by policy, and by more each
-- year ahead, at most as far ahead as the counterparty is dealt with. A cross is worth its base
-- at the middle rate, whatever its own rate is.
CREATE OR REPLACE FUNCTION fx_least_worth(d fx_deal) RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT greatest(
               treasury_worth_usd(d.base_amount, d.base)
                   * CASE WHEN 'USD' IN (d.base, d.quote) THEN share.own_rate ELSE 0.95 END,
               treasury_worth_usd(d.quote_amount, d.quote) * share.own_rate)
      FROM (SELECT 0.96 - treasury_policy('FX_OFF_MARKET_PCT', '{FX_OFF_MARKET_PCT}')::numeric
                   - treasury_policy('FX_FORWARD_PCT_A_YEAR', '{FX_FORWARD_PCT_A_YEAR}')::numeric
                     * least(d.value_date - d.trade_date, c.tenor_days_max) / 365 AS own_rate
              FROM fx_counterparty c WHERE c.id = d.counterparty_id) share
$$;

CREATE OR REPLACE FUNCTION fx_guard_deal() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    content jsonb;
    agreed numeric := coalesce(NEW.rate, NEW.limit_rate);
    slippage numeric;
    -- Columns that the steps of a deal write; everything else is what was agreed.
    steps text[] := ARRAY[
        'state', 'content_hash', 'usd_equivalent', 'mid_rate', 'mid_at', 'mid_source',
        'submitted_at', 'closed_at', 'closing_reason', 'confirmed_at', 'confirmed_by_id',
        'settles_on'];
    dealing text[] := ARRAY[
        'rate', 'base_amount', 'quote_amount', 'executed_at', 'executed_by_id',
        'counterparty_reference'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a deal is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    content := fx_deal_content(NEW);
    IF content IS NULL THEN
        RAISE EXCEPTION 'a deal names our accounts of its currencies, and its counterparty''s'
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.content_hash := CASE
        WHEN TG_OP = 'UPDATE' AND OLD.state NOT IN ('DRAFT', 'SUBMITTED', 'APPROVED')
            THEN OLD.content_hash
        ELSE approvals_content_hash(NEW.tenant_id, 'fx.deal', NEW.id, NEW.version, content) END;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'DRAFT' THEN
            RAISE EXCEPTION 'a deal is born as DRAFT, not as %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS}) THEN
        RAISE EXCEPTION 'a deal does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.tenant_id, NEW.reference, NEW.maker_id) <> (OLD.tenant_id, OLD.reference, OLD.maker_id)
       OR NEW.version <> OLD.version + (OLD.state = 'SUBMITTED' AND NEW.state = 'DRAFT')::integer
    THEN
        RAISE EXCEPTION 'a deal keeps its name, its maker and its version'
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'APPROVED' AND NEW.state = 'EXECUTED' THEN
        steps := steps || dealing;
    END IF;
    IF (NEW.confirmed_at, NEW.confirmed_by_id)
       IS DISTINCT FROM (OLD.confirmed_at, OLD.confirmed_by_id)
       AND NOT (NEW.state = 'CONFIRMED' AND OLD.state IN ('EXECUTED', 'FAILED')) THEN
        RAISE EXCEPTION 'who confirmed deal % stays as it is', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT (OLD.state = 'DRAFT' AND NEW.state = 'DRAFT')
       AND to_jsonb(NEW) - steps - 'version' <> to_jsonb(OLD) - steps - 'version' THEN
        RAISE EXCEPTION 'what was agreed in deal % changes only while it is a draft', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> 'DRAFT'
       AND (OLD.state, NEW.state) NOT IN (('SUBMITTED', 'DRAFT'), ('APPROVED', 'EXECUTED'))
       AND NEW.usd_equivalent IS DISTINCT FROM OLD.usd_equivalent THEN
        RAISE EXCEPTION 'deal % keeps its worth', NEW.reference USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('APPROVED', 'EXECUTED') AND NEW.state <> OLD.state
       AND NOT approvals_is_approved('fx.deal', NEW.id, NEW.version, content) THEN
        RAISE EXCEPTION 'deal % has not been approved by enough people', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('SUBMITTED', 'EXECUTED') AND NEW.state <> OLD.state THEN
        IF NEW.usd_equivalent IS NULL THEN
            RAISE EXCEPTION 'nobody said what deal % is worth in dollars', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
        -- Rounded amounts lie less than a unit of either currency apart from the rate.
        IF abs(NEW.quote_amount - NEW.base_amount * agreed) > greatest(1, agreed) THEN
            RAISE EXCEPTION 'the amounts of deal % do not follow from its rate', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.usd_equivalent < fx_least_worth(NEW) THEN
            RAISE EXCEPTION 'deal % is worth more than it says', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.usd_equivalent
           > treasury_policy('MAX_SINGLE_DEAL_USD', '{MAX_SINGLE_DEAL_USD}')::numeric THEN
            RAISE EXCEPTION 'deal % is larger than one deal may be', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.state = 'EXECUTED' AND OLD.state <> 'EXECUTED' THEN
        slippage := treasury_policy('FX_SLIPPAGE_PCT', '{FX_SLIPPAGE_PCT}')::numeric;
        IF (NEW.side = 'BUY' AND agreed > NEW.limit_rate * (1 + slippage))
           OR (NEW.side = 'SELL' AND agreed < NEW.limit_rate * (1 - slippage)) THEN
            RAISE EXCEPTION 'deal % was approved at a better rate', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.state = 'CONFIRMED' AND OLD.state <> 'CONFIRMED' THEN
        IF NEW.confirmed_by_id IS NULL OR fx_same_person(NEW.confirmed_by_id, NEW.maker_id)
           OR fx_same_person(NEW.confirmed_by_id, NEW.executed_by_id) THEN
            RAISE EXCEPTION 'deal % is confirmed by somebody who did not deal it', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
        IF NOT EXISTS (SELECT 1 FROM fx_dealconfirmation c
                        WHERE c.deal_id = NEW.id AND c.matches
                          AND (c.base_amount, c.quote_amount, c.rate, c.value_date, c.side)
                            = (NEW.base_amount, NEW.quote_amount, NEW.rate, NEW.value_date,
                               NEW.side)) THEN
            RAISE EXCEPTION 'nobody confirmed deal % as it was dealt', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.state IN ('SUBMITTED', 'EXECUTED') AND NEW.state <> OLD.state
       AND NEW.closes_id IS NOT NULL AND NOT coalesce(fx_deal_closes(NEW), false) THEN
        RAISE EXCEPTION 'deal % closes out more than is open, or something else', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'CANCELLED' AND OLD.state IN ('EXECUTED', 'CONFIRMED', 'FAILED')
       AND NOT fx_deal_is_given_up(NEW) THEN
        RAISE EXCEPTION 'deal % was dealt: two people approve, with evidence, that it is none',
            NEW.reference USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'SETTLED' AND OLD.state <> 'SETTLED'
       AND fx_deal_is_delivered(NEW) IS NOT TRUE THEN
        RAISE EXCEPTION 'deal % has a leg that no entry settles', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_deal;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_deal
    FOR EACH ROW EXECUTE FUNCTION fx_guard_deal();
"""
DEALS = "SET LOCAL check_function_bodies = false;" + DEAL
TRIGGERS = frozenset(
    {
        *leg_guards.TRIGGERS,
        *net_guards.TRIGGERS,
        *closing_guards.TRIGGERS,
        *difference_guards.TRIGGERS,
        *fixing_guards.TRIGGERS,
        *moving_guards.TRIGGERS,
        "fx_deal.guard",
        "fx_dealconfirmation.append_only",
        "fx_exposurealarm.append_only",
        "fx_rate.append_only",
        "fx_ratedelivery.append_only",
    }
)
