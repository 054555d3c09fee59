"""What amounts may be: positive, finite, and never worth less than they are.

Money is an amount with its currency, or neither; what is not money is worth nothing.
"""

AMOUNTS = """
ALTER TABLE approvals_approvalrequest
    ADD CONSTRAINT approval_request_amount_positive
        CHECK (CASE WHEN amount IS NULL
                    THEN currency = '' AND usd_equivalent IS NULL AND usd_rate IS NULL
                         AND usd_rate_at IS NULL
                    ELSE amount > 0 AND amount < 'Infinity' AND currency <> '' END),
    ADD CONSTRAINT approval_request_usd_finite
        CHECK (usd_equivalent IS NULL OR (usd_equivalent >= 0 AND usd_equivalent < 'Infinity')),
    ADD CONSTRAINT approval_request_usd_not_understated
        CHECK (usd_equivalent IS NULL OR (
            usd_rate > 0 AND usd_rate < 'Infinity' AND usd_rate_at IS NOT NULL
            AND usd_equivalent >= amount * usd_rate * 0.999999 - 0.01)),
    ADD CONSTRAINT approval_request_usd_is_usd
        CHECK (currency <> 'USD' OR usd_equivalent >= amount),
    ADD CONSTRAINT approval_request_interval_positive
        CHECK (escalation_interval > interval '0'),
    ADD CONSTRAINT approval_request_cutoff_ahead
        CHECK (cutoff_at IS NULL OR cutoff_at > submitted_at);
ALTER TABLE approvals_approvalrule
    ADD CONSTRAINT approval_rule_amount_finite
        CHECK (amount_above_usd IS NULL
               OR (amount_above_usd >= 0 AND amount_above_usd < 'Infinity'));
"""
