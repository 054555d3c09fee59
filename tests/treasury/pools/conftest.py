"""A group with a pool in pounds: a header and two accounts at one bank, a third at another one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from tests.scenes import scene
from tests.treasury.movement.conftest import NEAR_YEARS, House, build_house, put_balance
from treasury.models import BankAccount, CashPool, LegalEntity, PoolMove, PoolRun
from treasury.services import pools, rates, static
from treasury.services.pools import MemberIn, PoolIn

# A Tuesday, an hour before a pool is due that begins two hours before CHAPS closes.
MORNING: Final = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)
BALANCES: Final = {
    "Pool header": "2000000.00",
    "Trading": "350000.00",
    "Payroll": "-120000.00",
    "Shop": "90000.00",
}


@dataclass(frozen=True, slots=True)
class Pooled:
    """The pool of the tests: `trading` and `payroll` share the header's bank, `shop` does not.

    `payroll` belongs to another company than the other three.
    """

    tenant: Tenant
    house: House
    pool: CashPool
    header: BankAccount
    trading: BankAccount
    payroll: BankAccount
    shop: BankAccount
    parent: LegalEntity
    daughter: LegalEntity

    def run(self) -> PoolRun:
        """Run the pool's day."""
        return pools.run_pool(pool_id=self.pool.pk).run

    def move(self, account: BankAccount) -> PoolMove:
        """Return what the newest run made of an account."""
        return PoolMove.objects.filter(account=account).latest("id")


def open_account(
    label: str, *, entity: LegalEntity, bank: Any, number: str, **more: Any
) -> BankAccount:
    """Open an account in pounds, or in what `more` says."""
    facts: dict[str, Any] = {
        "currency": "GBP",
        "clearing_code": "400515",
        "timezone": "Europe/London",
        **more,
    }
    return static.open_account(
        account=static.AccountIn(entity=entity, bank=bank, label=label, number=number, **facts)
    )


def build_pooled(house: House) -> Pooled:
    """Build the group and its pool beside a house, at the frozen clock's present."""
    parent = house.home.entity
    daughter = static.create_entity(
        entity=static.EntityIn(
            name="North Payroll Limited",
            lei="5493001KJTIIGC8Y2P09",
            town="Leeds",
            country="GB",
            street="Canal Street",
            building_number="2",
            post_code="LS1 1AA",
        )
    )
    london = static.create_bank(bic="SBNKGB22XXX", name="London Bank", connection="host")
    york = static.create_bank(bic="OTHRGB22XXX", name="York Bank", connection="host")
    rates.record_usd_rate(
        currency="GBP", usd_per_unit=Decimal("1.27"), as_of=clock.now(), source="test"
    )
    accounts = {
        "Pool header": open_account("Pool header", entity=parent, bank=london, number="10000001"),
        "Trading": open_account("Trading", entity=parent, bank=london, number="10000002"),
        "Payroll": open_account("Payroll", entity=daughter, bank=london, number="10000003"),
        "Shop": open_account("Shop", entity=parent, bank=york, number="20000001"),
    }
    for label, amount in BALANCES.items():
        put_balance(accounts[label], amount)
    pool = pools.add_pool(
        pool=PoolIn(
            code="GBP-ZBA",
            name="Pounds of the group",
            kind="ZERO_BALANCE",
            currency="GBP",
            header=accounts["Pool header"].pk,
            header_floor=Decimal(500_000),
            intercompany_rate=Decimal("0.0425"),
        )
    )
    for place, label in enumerate(("Trading", "Payroll", "Shop"), start=1):
        pools.add_member(
            member=MemberIn(
                pool="GBP-ZBA",
                account=accounts[label].pk,
                minimum=Decimal(1_000),
                priority=place,
            )
        )
    return Pooled(
        tenant=pool.tenant,
        house=house,
        pool=pool,
        header=accounts["Pool header"],
        trading=accounts["Trading"],
        payroll=accounts["Payroll"],
        shop=accounts["Shop"],
        parent=parent,
        daughter=daughter,
    )


def open_indian(house: House) -> BankAccount:
    """Open a rupee account of a company in India at the bank of the others."""
    company = static.create_entity(
        entity=static.EntityIn(
            name="North Remit India Private Limited",
            lei="529900T8BM49AURSDO55",
            town="Mumbai",
            country="IN",
            street="Marine Drive",
            building_number="3",
            post_code="400002",
        )
    )
    return open_account(
        "Rupees of India", entity=company, bank=house.home.bank, number="1000000009",
        currency="INR", clearing_code="SBNK0000001", timezone="Asia/Kolkata",
    )  # fmt: skip


@pytest.fixture
def at_noon() -> Iterator[datetime]:
    """Hold the clock on a Tuesday at noon."""
    with clock.frozen(MORNING + timedelta(seconds=1)):
        yield MORNING


@scene
def pooled(
    tenant: Tenant, at_noon: datetime, tmp_path: Path, checker: User, checker2: User
) -> Pooled:
    """The group with its pool, with two checkers around."""
    with clock.frozen(at_noon):
        return build_pooled(build_house(tmp_path, years=NEAR_YEARS))
