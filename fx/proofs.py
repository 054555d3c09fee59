"""What must always hold of deals, their legs, flows and payments; asked with the books."""

from typing import Final

# What a leg still moves is expected once, with its sign; what it does not is not expected.
_FLOWS: Final = """
SELECT l.id, l.amount FROM fx_dealleg l JOIN fx_deal d ON d.id = l.deal_id
  LEFT JOIN treasury_expectedflow f
    ON f.tenant_id = l.tenant_id AND f.account_id = l.account_id AND f.source = 'DEAL'
   AND f.source_ref = d.reference || left(l.direction, 1) || l.version
 WHERE CASE WHEN l.state IN ('EXPECTED', 'INSTRUCTED', 'SENT')
            THEN f.id IS NULL OR f.state = 'CANCELLED'
                 OR f.amount <> CASE l.direction WHEN 'PAY' THEN -l.amount ELSE l.amount END
            ELSE f.state = 'EXPECTED' END
"""
_NET_FLOWS: Final = """
SELECT n.id, n.amount FROM fx_settlementnet n
  LEFT JOIN treasury_expectedflow f
    ON f.tenant_id = n.tenant_id AND f.account_id = n.account_id AND f.source = 'DEAL'
   AND f.source_ref = n.reference
 WHERE CASE WHEN n.state IN ('EXPECTED', 'INSTRUCTED', 'SENT')
            THEN f.id IS NULL OR f.state = 'CANCELLED'
                 OR f.amount <> CASE n.direction WHEN 'PAY' THEN -n.amount ELSE n.amount END
            ELSE f.state = 'EXPECTED' END
"""
_NETS: Final = """
SELECT n.id, n.amount FROM fx_settlementnet n
 WHERE n.state <> 'VOID' AND fx_net_adds_up(n) IS NOT TRUE
"""
_ENTRIES: Final = """
SELECT l.id, l.amount FROM fx_dealleg l
  LEFT JOIN treasury_bankentry e ON e.id = l.entry_id
  LEFT JOIN treasury_entrypart p ON p.id = l.entry_part_id AND p.entry_id = e.id
  LEFT JOIN fx_settlementnet n ON n.id = l.net_id
 WHERE l.state = 'SETTLED' AND CASE WHEN l.net_id IS NULL
            THEN e.id IS NULL OR e.state <> 'COUNTED' OR e.account_id <> l.account_id
                 OR abs(coalesce(p.amount, e.amount)) <> l.amount + coalesce((
                    SELECT r.difference FROM fx_receiptdifference r
                     WHERE r.leg_id = l.id AND r.entry_id = e.id AND r.state = 'ACCEPTED'), 0)
            ELSE n.state <> 'SETTLED' END
"""
# A leg or net that failed, or was replaced or undone, does not account for money that left.
_PAYMENTS: Final = """
SELECT p.id, p.amount FROM treasury_proposal p
 WHERE p.purpose = 'FX_SETTLEMENT' AND p.state IN ('EXECUTING', 'SENT', 'CONFIRMED', 'SETTLED')
   AND NOT EXISTS (
       SELECT 1 FROM fx_dealleg l
        WHERE l.proposal_id = p.id AND l.amount = p.amount AND l.state NOT IN ('VOID', 'FAILED'))
   AND NOT EXISTS (
       SELECT 1 FROM fx_settlementnet n
        WHERE n.proposal_id = p.id AND n.amount = p.amount AND n.state NOT IN ('VOID', 'FAILED'))
"""
_DEALS: Final = """
SELECT d.id, d.base_amount FROM fx_deal d
 WHERE d.state = 'SETTLED' AND fx_deal_is_delivered(d) IS NOT TRUE
"""
# What was accepted for other than agreed settles what it is for, by what came, and is worth what
# its rate says.
_DIFFERENCES: Final = """
SELECT r.id, r.difference FROM fx_receiptdifference r
  LEFT JOIN fx_dealleg l ON l.id = r.leg_id
  LEFT JOIN fx_settlementnet n ON n.id = r.net_id
 WHERE r.state = 'ACCEPTED'
   AND (coalesce(l.state, n.state) <> 'SETTLED'
        OR (coalesce(l.entry_id, n.entry_id),
            CASE WHEN r.net_id IS NULL THEN l.entry_part_id ELSE n.entry_part_id END)
           IS DISTINCT FROM (r.entry_id, r.entry_part_id)
        OR coalesce(l.amount, n.amount) + r.difference <> r.came
        OR r.amount_usd <> round(r.difference * r.usd_rate, 2))
"""
# It is booked as it was accepted, and booked back once it does not hold.
_BOOKED: Final = """
SELECT r.id, r.amount_usd FROM fx_receiptdifference r
 WHERE r.state IN ('ACCEPTED', 'REVERSED') AND fx_difference_is_booked(r) IS NOT TRUE
"""
_NET_ENTRIES: Final = """
SELECT n.id, n.amount FROM fx_settlementnet n
  LEFT JOIN treasury_bankentry e ON e.id = n.entry_id
  LEFT JOIN treasury_entrypart p ON p.id = n.entry_part_id AND p.entry_id = e.id
 WHERE n.state = 'SETTLED' AND n.direction <> 'NOTHING'
   AND (e.id IS NULL OR e.state <> 'COUNTED' OR e.account_id <> n.account_id
        OR abs(coalesce(p.amount, e.amount)) <> n.amount + coalesce((
           SELECT r.difference FROM fx_receiptdifference r
            WHERE r.net_id = n.id AND r.entry_id = e.id AND r.state = 'ACCEPTED'), 0))
"""
# Every deal is fixed at what holds for its pair and day, unless it was cancelled; a day that was
# fixed keeps a fixing.
_FIXINGS: Final = """
SELECT f.id, f.rate FROM fx_ndffixing f JOIN fx_deal d ON d.id = f.deal_id
 WHERE d.state <> 'CANCELLED' AND NOT EXISTS (
       SELECT 1 FROM fx_dayfixing x
        WHERE x.tenant_id = f.tenant_id AND x.fixed_on = f.fixed_on AND x.state = 'IN_FORCE'
          AND (x.base, x.quote, x.rate) = (d.base, d.quote, f.rate))
 UNION ALL
SELECT e.id, e.rate FROM fx_dayfixing e
 WHERE e.version = 1 AND NOT EXISTS (
       SELECT 1 FROM fx_dayfixing x
        WHERE x.tenant_id = e.tenant_id AND x.state = 'IN_FORCE'
          AND (x.base, x.quote, x.fixed_on) = (e.base, e.quote, e.fixed_on))
"""
CHECKS: Final = (
    ("leg_is_not_its_flow", _FLOWS, "A leg of {} is expected otherwise than it moves."),
    ("net_is_not_its_flow", _NET_FLOWS, "A net of {} is expected otherwise than it moves."),
    ("net_is_not_its_legs", _NETS, "A net of {} is not the sum of its legs."),
    ("leg_without_its_entry", _ENTRIES, "A leg of {} is settled without its entry."),
    ("payment_without_its_leg", _PAYMENTS, "A payment of {} for a deal belongs to no leg."),
    ("net_without_its_entry", _NET_ENTRIES, "A net of {} is settled without its entry."),
    ("difference_without_its_leg", _DIFFERENCES, "A difference of {} settles no leg."),
    ("difference_not_booked", _BOOKED, "A difference of {} dollars is booked otherwise."),
    ("fixing_is_not_its_days", _FIXINGS, "A deal is fixed at {}, its day otherwise."),
    ("deal_settled_with_open_leg", _DEALS, "A deal of {} is settled with a leg that is not."),
)
