"""The sweeps of a realm: a product, a mandate, and an order beyond it."""

from datetime import date, time
from decimal import Decimal

from core import clock, policies
from treasury.models import BankAccount, ReferenceCounter, SweepEligibility, SweepProduct
from treasury.policies import MAX_BALANCE_AGE_MINUTES
from treasury.selectors import sweeps as sweep_reads
from treasury.services import sweeps


def make_sweeps(
    mark: str, digit: str, accounts: dict[str, BankAccount], *, day: date
) -> dict[str, str]:
    """Sweep the dollars beyond their mandate, so that the order waits for checkers."""
    sweeps.add_product(
        product=sweeps.ProductIn(
            code="FED_RRP",
            name=f"{mark} overnight",
            kind="OVERNIGHT",
            cutoff_local=time(13, 15),
            timezone="America/New_York",
            calendar="FED",
            # What is kept by its digest differs, too.
            rate=Decimal("0.035") + Decimal(digit) / 10_000,
            for_all_companies=True,
        )
    )
    product = SweepProduct.objects.get(code="FED_RRP")
    entity = accounts["dollars"].entity
    sweeps.save_eligibility(eligibility=SweepEligibility(product=product, entity=entity))
    sweeps.add_mandate(
        mandate=sweeps.MandateIn(
            name=f"{mark} sweeps",
            account_id=accounts["dollars"].pk,
            order_max=Decimal(1_000),
            day_max=Decimal(1_000),
            valid_from=day,
            valid_until=day,
        )
    )
    policies.change(policy=MAX_BALANCE_AGE_MINUTES, value=2_880, actor=None, reason=f"{mark} wish")
    # Names of orders repeat between tenants; here they must not, to be told apart.
    ReferenceCounter.objects.create(kind=f"SWP-{day:%Y%m%d}", last=int(digit) * 100)
    window = sweep_reads.next_window(now=clock.now())
    decided = sweeps.decide_account(account=accounts["dollars"], window=window)
    assert decided.order is not None
    return {
        "decision": str(decided.decision.pk),
        "sweep": decided.order.order_id,
        "universe": decided.decision.universe_sha256,
    }
