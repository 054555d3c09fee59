"""What nobody could move any more: tasks that stop, payees that are gone, payments sent back."""

from types import SimpleNamespace

import pytest
from django.db import OperationalError

from core.errors import Invalid
from core.tenancy import Tenant
from fx import tasks
from fx.models import SettlementInstruction
from fx.services import instructing
from tests.fx.settling import Settling, follow, payment_of, say


def test_a_deadlock_of_one_tenant_does_not_stop_the_others(tenant: Tenant) -> None:
    def deadlock() -> None:
        raise OperationalError("deadlock detected")

    tasks._visit(tenant.pk, deadlock)


def test_without_their_account_it_is_refused_in_words(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    deal = follow(deal)
    SettlementInstruction.objects.update(is_active=False)
    with pytest.raises(Invalid, match="no account on the list"):
        instructing.reinstruct_deal(
            deal_id=deal.pk, actor=settles.desk.back_office, reason="Again."
        )


def test_a_payment_that_is_sent_back_fails_its_deal(settles: Settling) -> None:
    from treasury.receivers import movement

    deal = settles.instructed()
    outcome = SimpleNamespace(subject_id=payment_of(deal).pk, reason="Why so late?")
    movement._sent_back(outcome)  # type: ignore[arg-type]
    assert payment_of(deal).state == "CANCELLED"
    assert follow(deal).state == "FAILED"
