"""Ways round the guards of deals, legs, nets and fixings that are closed; each with its control."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError

from approvals import selectors as approval_reads
from core import clock
from core.errors import Invalid
from fx.constants import FIXING_SOURCE
from fx.models import Deal, NdfFixing, Rate, SettlementNet
from fx.services import fixing, instructing, settling
from fx.services.sources import FEED
from tests.conftest import MakeUser
from tests.fx.conftest import NOW, Quoted
from tests.fx.settling import D, Settling, book, follow, fresh, leg, payment_of, say
from tests.fx.test_closing import ndf, on_its_fixing_day
from tests.fx.test_deals_guards import sql
from tests.fx.test_netting import net_of, pay, two
from tests.fx.test_settlement_guards import decide_by_sql
from tests.treasury.movement.conftest import guard_replaced
from treasury.models import Proposal, Transfer
from treasury.selectors.invariants import invariants
from treasury.services import answers, proposals

__all__ = ["two"]


def settle_by_sql(deal: Deal) -> None:
    sql("UPDATE fx_deal SET state = 'SETTLED', closed_at = now() WHERE id = %s", deal.pk)


def test_what_nobody_fixed_is_not_settled(settles: Settling) -> None:
    deal = ndf(settles)
    with pytest.raises(DatabaseError, match="a leg that no entry settles"):
        settle_by_sql(deal)
    assert not invariants()
    with guard_replaced("fx_deal", "guard"):
        settle_by_sql(deal)
    assert "deal_settled_with_open_leg" in {one.code for one in invariants()}


def fix_by_sql(deal: Deal, row: Rate, rate: str, *, days: int = 0) -> None:
    """Fix a deal at a stored rate, by nobody."""
    sql(
        "INSERT INTO fx_ndffixing (id, tenant_id, deal_id, rate, fixed_on, said_by, from_rate_id,"
        " entered_at) SELECT gen_random_uuid(), tenant_id, id, %s, fixing_date + %s, 'x', %s,"
        " fixing_date + %s + interval '12 hours' FROM fx_deal WHERE id = %s",
        rate, days, row.pk, days, deal.pk,
    )  # fmt: skip


def test_nobody_fixes_a_deal_but_the_source_of_its_day(settles: Settling, quoted: Quoted) -> None:
    deal = ndf(settles)
    old = Rate.objects.filter(base="USD", quote="INR").latest("as_of")
    with pytest.raises(DatabaseError, match="not the rate that it names"):
        fix_by_sql(deal, old, "85.0000")
    day = on_its_fixing_day(deal)
    with clock.frozen(day - timedelta(days=1)):
        quoted("USD/INR", "86.1900", "86.2100", source=FIXING_SOURCE)
    with clock.frozen(day):
        quoted("USD/INR", "86.1900", "86.2100", source=FEED)
        quoted("USD/INR", "86.1900", "86.2100", source=FIXING_SOURCE)
    fixings = Rate.objects.filter(source__code=FIXING_SOURCE).order_by("as_of")
    the_day_before, right = fixings
    feed = Rate.objects.filter(source__code=FEED, base="USD", quote="INR").latest("as_of")
    for row, rate in ((the_day_before, "86.2000"), (feed, "86.2000"), (right, "86.1900")):
        with pytest.raises(DatabaseError, match="not the rate that it names"):
            fix_by_sql(deal, row, rate)
    for days in (-1, 1):
        with pytest.raises(DatabaseError, match="on its fixing date"):
            fix_by_sql(deal, right, "86.2000", days=days)
    fix_by_sql(deal, right, "86.2000")
    assert NdfFixing.objects.get(deal=deal).rate == D("86.2")


def test_one_fixing_holds_for_all_deals_of_a_day(settles: Settling) -> None:
    one, other = ndf(settles), ndf(settles)
    by = settles.desk.back_office
    with clock.frozen(on_its_fixing_day(one)):
        with pytest.raises(Invalid, match="too far from"):
            fixing.fix_deal(deal_id=one.pk, rate=D("8.6"), said_by="FBIL", actor=by)
        fixing.fix_deal(deal_id=one.pk, rate=D(86), said_by="FBIL", actor=by)
        with pytest.raises(Invalid, match="one rate holds for all deals"):
            fixing.fix_deal(deal_id=other.pk, rate=D("86.01"), said_by="FBIL", actor=by)
        with pytest.raises(DatabaseError, match="one fixing holds"):
            sql(
                "INSERT INTO fx_ndffixing (id, tenant_id, deal_id, rate, fixed_on, said_by,"
                " entered_by_id, entered_at) SELECT gen_random_uuid(), tenant_id, id, 86.01,"
                " fixing_date, 'x', %s, fixing_date + interval '12 hours' FROM fx_deal"
                " WHERE id = %s",
                by.pk,
                other.pk,
            )
        fixing.fix_deal(deal_id=other.pk, rate=D(86), said_by="FBIL", actor=by)


def decided_by_sql(proposal: Proposal, person: Any) -> None:
    """Approve a payment in a person's name, past every guard but that of settlement."""
    request = approval_reads.request_of(subject_type="treasury.proposal", subject_id=proposal.pk)
    assert request is not None
    with guard_replaced("approvals_decision", "guard_insert"):
        decide_by_sql(request.pk, person)


def test_who_fixed_a_deal_does_not_check_its_payment(
    settles: Settling, user_with: MakeUser
) -> None:
    both = user_with("back_office", "treasury_checker", name="both")
    deal = ndf(settles, side="SELL")
    with clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=both)
    with clock.frozen(datetime.combine(deal.value_date, NOW.timetz())):
        assert both in instructing._people_of(fresh(deal))
        assert instructing.instruct_deal(deal_id=deal.pk)
        with pytest.raises(DatabaseError, match="does not check what the deal pays"):
            decided_by_sql(payment_of(deal), both)
        decided_by_sql(payment_of(deal), settles.desk.checker)


@pytest.mark.parametrize("is_dealer", [True, False])
def test_approved_before_it_was_a_deals_payment_is_not_approved(
    settles: Settling, is_dealer: bool
) -> None:
    settles.desk.dealer.groups.add(Group.objects.get(name="treasury_checker"))
    deal = settles.confirmed()
    one = leg(deal, 1)
    made = proposals.create_proposal(
        draft=instructing._draft(deal, one), maker=None, maker_label="x", reference=one.reference
    )
    proposals._ask_for_approval(made, None, ())
    decided_by_sql(made, settles.desk.dealer if is_dealer else settles.desk.checker)
    sql(
        "UPDATE fx_dealleg SET state = 'INSTRUCTED', proposal_id = %s, instructed_at = now()"
        " WHERE id = %s",
        made.pk,
        one.pk,
    )
    pending = "UPDATE treasury_proposal SET state = 'PENDING', submitted_at = now() WHERE id = %s"
    if is_dealer:
        with pytest.raises(DatabaseError, match="does not check what the deal pays"):
            sql(pending, made.pk)
    else:
        sql(pending, made.pk)


def test_who_confirmed_stays_who_confirmed(settles: Settling) -> None:
    deal = settles.instructed()
    for change in ("confirmed_by_id = maker_id", "confirmed_at = now()"):
        with pytest.raises(DatabaseError, match="who confirmed deal"):
            sql(f"UPDATE fx_deal SET {change} WHERE id = %s", deal.pk)
    sql("UPDATE fx_deal SET confirmed_by_id = confirmed_by_id WHERE id = %s", deal.pk)


def test_what_was_paid_after_all_is_not_paid_again(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    deal = follow(deal)
    old, first = leg(deal, 1), payment_of(deal)
    instructing.reinstruct_deal(
        deal_id=deal.pk, actor=settles.desk.back_office, reason="another account"
    )
    assert instructing.instruct_deal(deal_id=deal.pk)
    second = payment_of(deal)
    touch = "UPDATE treasury_proposal SET state = state WHERE id = %s"
    sql(touch, second.pk)
    book(old)
    first.refresh_from_db()
    assert first.state == "CONFIRMED"
    with pytest.raises(DatabaseError, match="is not what a confirmed deal pays"):
        sql(touch, second.pk)


def test_a_leg_whose_net_may_have_been_paid_is_not_void(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    instructing.instruct_nets(now=clock.now())
    net: SettlementNet = net_of("USD")
    pay(settles, net)
    settling.follow_open()
    answers.record(
        transfer=Transfer.objects.get(proposal=net.proposal),
        said=answers.Said(status="RJCT", source="PAIN002", attempt=1, reason="AC04"),
    )
    settling.follow_open()
    failed = net.legs.filter(state="FAILED").first()
    assert failed is not None
    void = "UPDATE fx_dealleg SET state = 'VOID', reason = 'x', closed_at = now() WHERE id = %s"
    with guard_replaced("treasury_proposal", "guard"):
        sql("UPDATE treasury_proposal SET state = 'CONFIRMED' WHERE id = %s", net.proposal_id)
        with pytest.raises(DatabaseError, match="may have left already"):
            sql(void, failed.pk)
        sql("UPDATE treasury_proposal SET state = 'FAILED' WHERE id = %s", net.proposal_id)
    sql(void, failed.pk)
