"""What nobody could move any more: tasks that stop, payees that are gone, payments sent back."""

import pytest
from django.db import OperationalError

from core.errors import Invalid
from core.tenancy import Tenant
from fx import tasks
from fx.models import SettlementInstruction
from fx.services import instructing
from tests.fx.settling import Settling, follow, say


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
