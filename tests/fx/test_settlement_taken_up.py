"""A deal that fell is taken up again: on a day good for both legs, to a payee that is known."""

from datetime import UTC, datetime

import pytest

from approvals import selectors as approval_reads
from approvals import services as approvals
from core import clock
from core.errors import Invalid
from core.tenancy import bound
from fx.models import DealLeg, SettlementInstruction
from fx.services import instructing
from tests.approvals.stepping import shown
from tests.fx.settling import Settling, follow, fresh, leg, payment_of, say

FRIDAY_NIGHT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def test_after_another_centres_day_has_turned_both_legs_get_a_good_day(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    assert follow(deal).state == "FAILED"
    with clock.frozen(FRIDAY_NIGHT):
        instructing.reinstruct_deal(
            deal_id=deal.pk, actor=settles.desk.back_office, reason="The account is open again."
        )
    days = {one.value_date.isoformat() for one in DealLeg.objects.exclude(state="VOID")}
    assert days == {"2026-11-23"}


def test_who_has_no_account_any_more_is_named(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    follow(deal)
    SettlementInstruction.objects.filter(currency="USD").update(is_active=False)
    with pytest.raises(Invalid, match="Dealing Bank receives USD"):
        instructing.reinstruct_deal(
            deal_id=deal.pk, actor=settles.desk.back_office, reason="The account is open again."
        )
    assert fresh(deal).state == "FAILED"


def test_a_payment_that_is_sent_back_ends_and_its_deal_falls(settles: Settling) -> None:
    deal, checker = settles.instructed(), settles.desk.checker
    with bound(settles.desk.tenant.id, actor=checker.pk):
        request = approval_reads.request_of(
            subject_type="treasury.proposal", subject_id=payment_of(deal).pk
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="CHANGES",
            content_hash=request.content_hash,
            version=request.subject_version,
            reason="To another account, please.",
            evidence=shown(checker, request.content_hash),
        )
    assert payment_of(deal).state == "CANCELLED"
    assert follow(deal).state == "FAILED"
    assert leg(deal, 1).state == "FAILED"
