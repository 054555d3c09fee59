"""A movement's news tells the positions of both of its accounts."""

from core.events.models import OutboxEvent
from core.events.relay import sequence_committed
from core.identity.models import User
from core.tenancy import Tenant
from tests.treasury.movement.conftest import House, propose
from treasury.services.position_feed import tell_positions


def test_a_movement_tells_both_accounts(tenant: Tenant, house: House, maker: User) -> None:
    tell_positions(tenant=tenant.id)
    proposal = propose(house, maker)
    sequence_committed(tenant=tenant.id)
    told = tell_positions(tenant=tenant.id)
    rows = OutboxEvent.objects.filter(topic="cash_positions").order_by("-id")[:told]
    assert {row.payload["account_id"] for row in rows} == {
        str(proposal.debit_account_id), str(proposal.credit_account_id),
    }  # fmt: skip
