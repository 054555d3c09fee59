"""The pools of a realm: one that runs, one that is notional, one that its bank runs."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from core import clock
from treasury.models import BankAccount, BankEntry, CashPool, Statement
from treasury.services import pools, static


def make_pools(
    mark: str, digit: str, accounts: dict[str, BankAccount], *, day: date
) -> dict[str, str]:
    """Run a pool in which everything stays, and pair what the bank swept in another one."""
    dollars = accounts["dollars"]

    def pool(code: str, kind: str, header: BankAccount, **more: Any) -> CashPool:
        return pools.add_pool(
            pool=pools.PoolIn(
                code=code, name=f"{mark} {code}", kind=kind, currency="USD", header=header.pk,
                intercompany_rate=Decimal("0.04"), **more,
            )
        )  # fmt: skip

    targets = pool(f"{mark.upper()}-TARGETS", "TARGET_BALANCE", accounts["spare"])
    band = {"lower": Decimal(0), "upper": Decimal(10**9)}
    pools.add_member(member=pools.MemberIn(pool=targets.code, account=dollars.pk, **band))
    run = pools.run_pool(pool_id=targets.pk).run
    notional = pool(f"{mark.upper()}-SUM", "NOTIONAL", accounts["spare"])
    pools.add_member(member=pools.MemberIn(pool=notional.code, account=dollars.pk))
    daughter = static.create_entity(
        entity=static.EntityIn(
            name=f"{mark} Daughter Limited", lei="5493001KJTIIGC8Y1R12", town=mark, country="GB"
        )
    )
    for name, entity in (("pool top", dollars.entity), ("pool child", daughter)):
        accounts[name] = static.open_account(
            account=static.AccountIn(
                entity=entity, bank=dollars.bank, label=f"{mark} {name}", currency="USD",
                number=f"7{digit}3200000{len(accounts)}", clearing_code="021000021",
                timezone="America/New_York",
            )
        )  # fmt: skip
    swept = pool(f"{mark.upper()}-BANK", "ZERO_BALANCE", accounts["pool top"], is_bank_run=True)
    child = accounts["pool child"]
    pools.add_member(member=pools.MemberIn(pool=swept.code, account=child.pk))
    for account, amount in ((child, "-100.00"), (accounts["pool top"], "100.00")):
        BankEntry.objects.create(
            account=account, identity=uuid4().hex, identity_rule="test", amount=Decimal(amount),
            booking_date=day, value_date=day, status="BOOK", best_source="CAMT053",
            transaction_code="CAMT/ACCB/ZABA", first_seen_at=clock.now(), announced_at=clock.now(),
            statement=Statement.objects.filter(account=dollars)[0],
        )  # fmt: skip
    assert len(pools.pair_bank_sweeps(pool_id=swept.pk)) == 1
    return {
        "pool": str(targets.pk),
        "pool_run": str(run.pk),
        "notional_pool": str(notional.pk),
        "lender": str(daughter.pk),
        "borrower": str(dollars.entity_id),
    }
