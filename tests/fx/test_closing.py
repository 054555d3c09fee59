"""How deals end otherwise: closed out, cancelled by both sides, fixed and paid as a difference."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError

from approvals import selectors as approval_reads
from approvals import services as approvals
from core import clock, policies
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.money import Money
from core.tenancy import bound
from fx.engine.settlement import ndf_difference
from fx.errors import DealStateRefused, LegAlreadySent
from fx.models import Deal, DealCancellation, DealLeg, SettlementNet
from fx.policies import FX_FIXING_SOURCE, FX_NETTING_LEAD_MINUTES
from fx.services import closing, deals, fixing, instructing, netting
from fx.services.sources import FEED
from tests.approvals.stepping import shown
from tests.conftest import MakeUser
from tests.fx.conftest import Quoted
from tests.fx.settling import D, Settling, book, follow, fresh
from tests.fx.test_deals_guards import sql


def offsetting(settles: Settling, deal: Deal, amount: str | None = None) -> Deal:
    """Draft, approve and deal what closes a deal out."""
    made = closing.close_out(
        deal_id=deal.pk,
        amount=D(amount) if amount else None,
        limit_rate=D("85.0100"),
        why="No longer needed",
        actor=settles.desk.dealer,
    )
    deals.submit_deal(deal_id=made.pk, actor=settles.desk.dealer)
    settles.desk.decide(fresh(made))
    return settles.desk.execute(fresh(made), "85.0100")


def test_what_was_dealt_is_not_cancelled_but_closed_out(settles: Settling) -> None:
    deal = settles.confirmed()
    with pytest.raises(DealStateRefused, match="closed out by an offsetting one"):
        deals.cancel_deal(deal_id=deal.pk, actor=settles.desk.dealer, reason="No")
    made = offsetting(settles, deal, "400000.00")
    assert (made.closes_id, made.side, made.value_date) == (deal.pk, "BUY", deal.value_date)
    assert (made.pay_account_id, made.receive_account_id) == (
        deal.receive_account_id,
        deal.pay_account_id,
    )
    assert closing.open_amount(fresh(deal)) == D(600_000)
    with pytest.raises(Invalid, match=r"600,000\.00"):
        closing.close_out(
            deal_id=deal.pk,
            amount=D("600000.01"),
            limit_rate=D("85.0100"),
            why="Too much",
            actor=settles.desk.dealer,
        )


def test_where_the_counterparty_nets_only_the_difference_moves(settles: Settling) -> None:
    """A million sold at 85 and bought back at 85.01: ten thousand rupees go out, no dollars."""
    policies.write_version(
        policy=FX_NETTING_LEAD_MINUTES, value="1440", actor=None, reason="a test"
    )
    netting.sign_agreement(
        party=settles.desk.bank,
        wish=netting.AgreementIn(
            reference="ISDA 2002", signed_on=date(2026, 1, 2), starts_on=date(2026, 1, 2)
        ),
    )
    deal = settles.confirmed()
    settles.confirm(offsetting(settles, deal))
    instructing.instruct_nets(now=clock.now())
    found = {one.currency: (one.direction, one.amount) for one in SettlementNet.objects.all()}
    assert found == {"USD": ("NOTHING", D(0)), "INR": ("PAY", D(10_000))}


def test_more_than_is_open_is_not_closed_out_by_sql(settles: Settling) -> None:
    deal = settles.confirmed()
    made = closing.close_out(
        deal_id=deal.pk, amount=None, limit_rate=D("85.0100"), why="All", actor=settles.desk.dealer
    )
    sql("UPDATE fx_deal SET base_amount = 1000001, quote_amount = 85010085 WHERE id = %s", made.pk)
    with pytest.raises(DatabaseError, match="closes out more than is open"):
        sql(
            "UPDATE fx_deal SET state = 'SUBMITTED', usd_equivalent = 1000001 WHERE id = %s",
            made.pk,
        )


def approve_cancel(settles: Settling, made: DealCancellation, checker: User) -> None:
    with bound(settles.desk.tenant.id, actor=checker.pk):
        request = approval_reads.request_of(
            subject_type=closing.SUBJECT, subject_id=made.pk, subject_version=1
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=1,
            evidence=replace(shown(checker, request.content_hash)),
        )


def test_both_sides_cancel_with_evidence_and_two_approvals(
    settles: Settling, user_with: MakeUser
) -> None:
    second = user_with("treasury_checker", name="second")
    deal = settles.instructed()
    with pytest.raises(Invalid, match="what the counterparty said"):
        closing.ask_to_cancel(deal_id=deal.pk, evidence=" ", actor=settles.desk.back_office)
    made = closing.ask_to_cancel(
        deal_id=deal.pk, evidence="Their mail of today, file 7", actor=settles.desk.back_office
    )
    approve_cancel(settles, made, settles.desk.checker)
    assert fresh(deal).state == "CONFIRMED"
    approve_cancel(settles, made, second)
    made.refresh_from_db()
    assert (fresh(deal).state, made.state) == ("CANCELLED", "DONE")
    assert {one.state for one in DealLeg.objects.filter(deal=deal)} == {"VOID"}


def test_nobody_cancels_what_was_dealt_by_sql(settles: Settling) -> None:
    deal = settles.confirmed()
    with pytest.raises(DatabaseError, match="two people approve, with evidence"):
        sql("UPDATE fx_deal SET state = 'CANCELLED' WHERE id = %s", deal.pk)


def test_what_has_left_is_not_cancelled(settles: Settling) -> None:
    deal = settles.sent()
    with pytest.raises(LegAlreadySent, match="closed out instead"):
        closing.ask_to_cancel(
            deal_id=deal.pk, evidence="Their mail", actor=settles.desk.back_office
        )


@pytest.mark.parametrize(
    ("agreed", "fixed", "difference"),
    [
        # EMTA: N * (fixing - rate) / fixing, in dollars; a million at 85 fixed at 86.
        ("85", "86", "11627.91"),
        ("85", "84", "-11904.76"),
        ("85", "85", "0.00"),
    ],
)
def test_the_difference_of_a_fixing(agreed: str, fixed: str, difference: str) -> None:
    found = ndf_difference(Money(D(1_000_000), "USD"), agreed=D(agreed), fixing=D(fixed))
    assert found == Money(D(difference), "USD")


FIXING_DAY = datetime(2026, 12, 18, 9, 0, tzinfo=UTC)


def ndf(settles: Settling, side: str = "BUY") -> Deal:
    """Return a confirmed non-deliverable deal of a million dollars, one month ahead."""
    deal = settles.desk.executed(kind="NDF", tenor="1M", side=side, rate="85.0000")
    return settles.confirm(deal)


def on_its_fixing_day(deal: Deal) -> datetime:
    assert deal.fixing_date is not None
    return datetime.combine(deal.fixing_date, FIXING_DAY.timetz())


def test_a_non_deliverable_deal_pays_one_difference_in_dollars(settles: Settling) -> None:
    deal = ndf(settles)
    assert not DealLeg.objects.filter(deal=deal).exists()
    with pytest.raises(Invalid, match="It is fixed on"):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=settles.desk.back_office)
    with clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=settles.desk.back_office)
    [only] = DealLeg.objects.filter(deal=deal)
    assert (only.direction, only.currency, only.amount) == ("RECEIVE", "USD", D("11627.91"))
    assert only.account_id == settles.desk.accounts["USD"].pk
    with clock.frozen(datetime.combine(deal.value_date, FIXING_DAY.timetz())):
        book(only)
        assert follow(deal).state == "SETTLED"


def test_the_seller_of_dollars_pays_it(settles: Settling) -> None:
    deal = ndf(settles, side="SELL")
    with clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=settles.desk.back_office)
    [only] = DealLeg.objects.filter(deal=deal)
    assert (only.direction, only.amount, only.leg_no) == ("PAY", D("11627.91"), 1)


def test_fixed_at_its_own_rate_nothing_is_left(settles: Settling) -> None:
    deal = ndf(settles)
    with clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(85), said_by="FBIL", actor=settles.desk.back_office)
    assert fresh(deal).state == "SETTLED"


def test_who_dealt_does_not_fix(settles: Settling) -> None:
    deal = ndf(settles)
    with pytest.raises(Forbidden), clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=settles.desk.dealer)
    with pytest.raises(DatabaseError, match="did not deal it"):
        sql(
            "INSERT INTO fx_ndffixing (id, tenant_id, deal_id, rate, fixed_on, said_by,"
            " entered_by_id, entered_at) SELECT gen_random_uuid(), tenant_id, id, 86, fixing_date,"
            " 'me', maker_id, fixing_date + interval '12 hours' FROM fx_deal WHERE id = %s",
            deal.pk,
        )


def test_what_is_closed_out_is_not_cancelled_beside_it(settles: Settling) -> None:
    deal = settles.confirmed(tenor="SPOT")
    other = offsetting(settles, deal)
    with pytest.raises(Invalid, match=other.reference):
        closing.ask_to_cancel(
            deal_id=deal.pk, evidence="their mail", actor=settles.desk.back_office
        )


def test_a_source_fixes_on_the_day_where_the_policy_names_one(
    settles: Settling, quoted: Quoted
) -> None:
    policies.write_version(policy=FX_FIXING_SOURCE, value=FEED, actor=None, reason="a test")
    deal = ndf(settles)
    with clock.frozen(on_its_fixing_day(deal) - timedelta(days=1)):
        quoted("USD/INR", "85.9900", "86.0100")
        assert fixing.fix_from_sources(now=clock.now()) == []
    with clock.frozen(on_its_fixing_day(deal)):
        assert fixing.fix_from_sources(now=clock.now()) == []  # yesterday's rate fixes nothing
        quoted("USD/INR", "85.9900", "86.0100")
        assert fixing.fix_from_sources(now=clock.now()) == [deal.pk]
    assert DealLeg.objects.get(deal=deal).amount == Decimal("11627.91")


def test_a_difference_is_the_fixings_to_the_cent(settles: Settling) -> None:
    deal = ndf(settles)
    with clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=settles.desk.back_office)
    only = DealLeg.objects.get(deal=deal)
    for change in ("amount = 11627.92", "direction = 'PAY'", "currency = 'INR'"):
        with pytest.raises(DatabaseError):
            sql(f"UPDATE fx_dealleg SET {change} WHERE id = %s", only.pk)
