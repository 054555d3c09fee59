"""What lets a payment go: people who approved it, or the sweep order that it pays out, exactly.

A proposal of the purpose SWEEP has no approval of its own. It is released by its order alone, whose
decision, mandate or approval the database looks up itself; every other purpose takes people.
"""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

RELEASE = f"""
-- Whether a proposal is the payment of a signed and released sweep order: its account, amount,
-- currency, day and cut-off, to the payee and by the rail that two people agreed on.
CREATE OR REPLACE FUNCTION treasury_sweep_pays(p treasury_proposal) RETURNS boolean
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    PERFORM 1 FROM treasury_sweeporder o
      WHERE o.tenant_id = p.tenant_id AND o.order_id = p.reference FOR SHARE;
    RETURN EXISTS (
        SELECT 1 FROM treasury_sweeporder o
          JOIN treasury_sweepline l ON l.id = o.line_id AND l.tenant_id = o.tenant_id
         WHERE o.tenant_id = p.tenant_id AND o.order_id = p.reference
           AND p.purpose = 'SWEEP' AND p.maker_id IS NULL AND p.version = 1
           AND p.debit_account_id = o.account_id
           AND p.amount = o.paid_out AND p.currency = 'USD'
           AND p.value_date = o.settles_on AND p.cutoff_at = o.cutoff_at
           AND l.is_active AND l.account_id = o.account_id AND l.product_id = o.product_id
           AND p.credit_account_id IS NOT DISTINCT FROM l.credit_account_id
           AND p.beneficiary_id IS NOT DISTINCT FROM l.beneficiary_id
           AND p.rail = l.rail
           AND o.jws <> '' AND o.intent_id IS NULL AND o.state IN ('NEW', 'SENT')
           AND CASE o.release
               WHEN 'MANDATE' THEN treasury_mandate_covers(o)
               WHEN 'APPROVED' THEN approvals_is_approved(
                   'treasury.sweep', o.id, 1, treasury_sweep_content(o))
               ELSE false END);
END $$;

CREATE OR REPLACE FUNCTION treasury_is_released(p treasury_proposal, content jsonb) RETURNS boolean
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF p.purpose = 'SWEEP' THEN
        RETURN treasury_sweep_pays(p);
    END IF;
    RETURN approvals_is_approved('treasury.proposal', p.id, p.version, content);
END $$;
"""
