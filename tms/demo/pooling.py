"""The demo's pools: pounds that keep a target, euros summed for interest, dirhams by the bank."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from tms.demo.accounts import DemoAccount
from treasury.services import pools

# A payout account keeps what tomorrow's payouts need; a zero balance would be prefunded every day.
POUNDS_TARGET: Final = Decimal(2_500_000)
POUNDS_MINIMUM: Final = Decimal(50_000)
POUNDS_MULTIPLE: Final = Decimal(10_000)
POUNDS_LEAD_MINUTES: Final = 15
# What the bank concentrates in the evening (`profile.sweep` of the account it keeps).
DIRHAMS_TARGET: Final = Decimal(7_500_000)
DIRHAMS_MINIMUM: Final = Decimal(300_000)
DIRHAMS_MULTIPLE: Final = Decimal(50_000)


def make_pools(*, accounts: Sequence[DemoAccount], ids: Mapping[str, UUID]) -> tuple[str, ...]:
    """Make the pools; return their codes. Rates are there to practise with."""
    by_label = {one.role.label: ids[one.number] for one in accounts}
    pools.add_pool(
        pool=pools.PoolIn(
            code="GBP-TARGET",
            name="Pounds of the group",
            kind="TARGET_BALANCE",
            currency="GBP",
            header=by_label["GBP Operating"],
            header_floor=Decimal(1_500_000),
            intercompany_rate=Decimal("0.0425"),
            lead_minutes=POUNDS_LEAD_MINUTES,
        )
    )
    pools.add_member(
        member=pools.MemberIn(
            pool="GBP-TARGET",
            account=by_label["GBP Payouts"],
            target=POUNDS_TARGET,
            minimum=POUNDS_MINIMUM,
            multiple=POUNDS_MULTIPLE,
        )
    )
    pools.add_pool(
        pool=pools.PoolIn(
            code="EUR-SUM",
            name="Euros together",
            kind="NOTIONAL",
            currency="EUR",
            credit_rate=Decimal("0.0190"),
            debit_rate=Decimal("0.0450"),
        )
    )
    for label, rate in (("EUR Operating", "0.0110"), ("EUR Payouts", "0.0090")):
        pools.add_member(
            member=pools.MemberIn(
                pool="EUR-SUM",
                account=by_label[label],
                credit_rate=Decimal(rate),
                debit_rate=Decimal("0.0850"),
            )
        )
    _make_pool_between_companies(by_label)
    return ("GBP-TARGET", "EUR-SUM", "AED-BANK")


def _make_pool_between_companies(by_label: Mapping[str, UUID]) -> None:
    """Let the bank keep the subsidiary's account at its target: what it moves is lent."""
    pools.add_pool(
        pool=pools.PoolIn(
            code="AED-BANK",
            name="Dirhams with the Gulf company",
            kind="TARGET_BALANCE",
            currency="AED",
            header=by_label["AED Operating"],
            header_floor=Decimal(2_000_000),
            is_bank_run=True,
            intercompany_rate=Decimal("0.0485"),
        )
    )
    pools.add_member(
        member=pools.MemberIn(
            pool="AED-BANK",
            account=by_label["AED Payouts"],
            target=DIRHAMS_TARGET,
            minimum=DIRHAMS_MINIMUM,
            multiple=DIRHAMS_MULTIPLE,
        )
    )
