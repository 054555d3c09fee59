"""The rules of suggestions and reforecasts as the database holds them."""

from fx.guards import MAX_SINGLE_DEAL_USD

_PATH = "SET search_path = pg_catalog, public, pg_temp"
EDGES = (("OPEN", "TAKEN"), ("OPEN", "DISMISSED"), ("OPEN", "SUPERSEDED"), ("OPEN", "EXPIRED"))
_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)

SUGGESTIONS = f"""
CREATE OR REPLACE FUNCTION fx_guard_suggestion() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    steps text[] := ARRAY['state', 'closed_at', 'closed_by_id', 'closing_reason', 'deal_id'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a suggestion is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'OPEN' THEN
            RAISE EXCEPTION 'a suggestion is born as OPEN, not as %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF NOT EXISTS (SELECT 1 FROM fx_hedgeneed n
                        WHERE n.id = NEW.need_id
                          AND (n.currency, n.day) = (NEW.currency, NEW.day)
                          AND n.funding IN (NEW.base, NEW.quote)) THEN
            RAISE EXCEPTION 'a suggestion meets the need that it names'
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.usd_equivalent
           > treasury_policy('MAX_SINGLE_DEAL_USD', '{MAX_SINGLE_DEAL_USD}')::numeric THEN
            RAISE EXCEPTION 'a suggestion is larger than one deal may be'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS}) THEN
        RAISE EXCEPTION 'a suggestion does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps THEN
        RAISE EXCEPTION 'what was suggested stays as it was' USING ERRCODE = 'check_violation';
    END IF;
    -- Nothing is dealt by a suggestion: it becomes the draft of the person who took it.
    IF NEW.state = 'TAKEN' AND NOT EXISTS (
        SELECT 1 FROM fx_deal d
         WHERE d.id = NEW.deal_id AND d.state = 'DRAFT' AND d.maker_id = NEW.closed_by_id
           AND (d.base, d.quote, d.side, d.dealt_currency, d.value_date, d.counterparty_id)
             = (NEW.base, NEW.quote, NEW.side, NEW.dealt_currency, NEW.value_date,
                NEW.counterparty_id)
           AND NEW.dealt_amount = CASE WHEN d.dealt_currency = d.base THEN d.base_amount
                                       ELSE d.quote_amount END) THEN
        RAISE EXCEPTION 'a suggestion is taken by a draft of who takes it, of the very same terms'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_dealsuggestion;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_dealsuggestion
    FOR EACH ROW EXECUTE FUNCTION fx_guard_suggestion();

CREATE OR REPLACE FUNCTION fx_guard_reforecast() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a reforecast is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'UPDATE' AND (
        OLD.fired_at IS NOT NULL OR NEW.fired_at IS NULL
        OR to_jsonb(NEW) - 'fired_at' <> to_jsonb(OLD) - 'fired_at') THEN
        RAISE EXCEPTION 'a reforecast fires once, and nothing else of it changes'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON fx_reforecasttrigger;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON fx_reforecasttrigger
    FOR EACH ROW EXECUTE FUNCTION fx_guard_reforecast();
"""
GUARDS = "SET LOCAL check_function_bodies = false;" + SUGGESTIONS
TRIGGERS = frozenset(
    {
        "fx_dealsuggestion.guard",
        "fx_reforecasttrigger.guard",
        "fx_hedgeneed.append_only",
        "fx_forecastbasis.append_only",
        "fx_dealfile.append_only",
        "fx_dealfilerow.append_only",
    }
)
