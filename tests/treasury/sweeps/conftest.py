"""A house that sweeps: three products, a mandate on the dollar account, a fresh value at risk."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from core import clock, policies
from core.identity.models import User
from core.tenancy import Tenant
from tests.scenes import scene
from tests.treasury.movement.conftest import NEAR_YEARS, House, build_house, put_balance
from treasury.engine.sweep_windows import Window
from treasury.models import BankAccount, SweepKind, SweepMandate, SweepProduct
from treasury.selectors import sweeps as reads
from treasury.services import sweeps
from treasury.services.flows import FlowIn, put_expected_flow
from treasury.services.readings import ReadingIn, record_risk_reading
from treasury.services.sweeps import Decided

# A Tuesday, a quarter of an hour before the window of 15:30 UTC.
QUARTER_PAST: Final = datetime(2026, 11, 17, 15, 15, tzinfo=UTC)
CUTOFF: Final = datetime(2026, 11, 17, 15, 30, tzinfo=UTC)
NEW_YORK: Final = "America/New_York"


@dataclass(frozen=True, slots=True)
class Sweeping:
    """What the tests sweep: the account, its mandate, and the products."""

    tenant: Tenant
    house: House
    account: BankAccount
    mandate: SweepMandate
    overnight: SweepProduct
    bill: SweepProduct
    note: SweepProduct

    def decide(self) -> Decided:
        """Decide the account for the next window."""
        return sweeps.decide_account(account=self.account, window=self.window())

    def window(self) -> Window:
        """Return the next window."""
        return reads.next_window(now=clock.now())


def make_products() -> tuple[SweepProduct, SweepProduct, SweepProduct]:
    """Make the overnight product, the four-week bill and the green note in the bound tenant."""

    def make(code: str, kind: str, cutoff: time, **more: Any) -> SweepProduct:
        return sweeps.add_product(
            product=sweeps.ProductIn(
                code=code,
                name=code.replace("_", " ").title(),
                kind=kind,
                cutoff_local=cutoff,
                timezone=NEW_YORK,
                calendar="FED",
                for_all_companies=True,
                **more,
            )
        )

    return (
        make("FED_RRP", SweepKind.OVERNIGHT, time(13, 15), rate=Decimal("0.0350")),
        make(
            "TBILL_4W", SweepKind.BILL, time(14, 0), rate=Decimal("0.0385"),
            settlement_days=1, tenor_days=28, increment=Decimal(100),
        ),
        make(
            "CARBON_NOTE", SweepKind.NOTE, time(12, 0), rate=Decimal("0.0360"), is_green=True,
            settlement_days=2, tenor_days=28,
        ),
    )  # fmt: skip


def read_risk(
    account: BankAccount, var_bps: str = "8", observations: int = 250, *, days_back: int = 1
) -> None:
    """Record a value at risk as measured now, over flows up to so many days ago."""
    record_risk_reading(
        reading=ReadingIn(
            account_id=account.pk,
            as_of=clock.now().date() - timedelta(days=days_back),
            observed_at=clock.now(),
            method="historical",
            confidence=Decimal("0.99"),
            observations=observations,
            var_amount=Decimal("800.00"),
            expected_shortfall=Decimal("900.00"),
            base_amount=Decimal("1000000.00"),
            base_kind="available",
            var_bps=Decimal(var_bps),
            inputs_sha256="a" * 64,
        )
    )


def expect_payout(account: BankAccount, amount: str, on: date, name: str = "payout") -> None:
    """Expect a payout from an account."""
    put_expected_flow(
        flow=FlowIn(
            account_id=account.pk,
            source="PAYOUT",
            source_ref=name,
            amount=-Decimal(amount),
            value_date=on,
            description="Payouts",
        )
    )


def make_mandate(account: BankAccount, **more: Any) -> SweepMandate:
    """Let an account sweep five million per order and eight per day this month."""
    facts: dict[str, Any] = {
        "name": f"Sweeps of {account.label}",
        "account_id": account.pk,
        "order_max": Decimal(5_000_000),
        "day_max": Decimal(8_000_000),
        "valid_from": date(2026, 11, 1),
        "valid_until": date(2026, 11, 30),
        **more,
    }
    return sweeps.add_mandate(mandate=sweeps.MandateIn(**facts))


def build_sweeping(tenant: Tenant, folder: Path) -> Sweeping:
    """Build everything in the bound tenant, at the frozen clock's present."""
    house = build_house(folder, years=NEAR_YEARS)
    overnight, bill, note = make_products()
    account = house.usd
    put_balance(account, "1000000.00", at=clock.now() + timedelta(microseconds=1))
    read_risk(account)
    expect_payout(account, "800000.00", date(2026, 11, 18))
    # Until the ladder ends nothing else is expected; the payout comes in again before it goes.
    put_expected_flow(
        flow=FlowIn(
            account_id=account.pk,
            source="PAYOUT",
            source_ref="collection",
            amount=Decimal("800000.00"),
            value_date=date(2026, 11, 18),
            description="Collections",
        )
    )
    return Sweeping(
        tenant=tenant,
        house=house,
        account=account,
        mandate=make_mandate(account),
        overnight=overnight,
        bill=bill,
        note=note,
    )


@pytest.fixture
def at_the_window() -> Iterator[datetime]:
    """Hold the clock a quarter of an hour before a window closes."""
    with clock.frozen(QUARTER_PAST + timedelta(seconds=1)):
        yield QUARTER_PAST


@scene
def sweeping(
    tenant: Tenant, at_the_window: datetime, tmp_path: Path, checker: User, checker2: User
) -> Sweeping:
    """The house that sweeps, with two checkers around."""
    with clock.frozen(QUARTER_PAST):
        return build_sweeping(tenant, tmp_path)


@pytest.fixture(autouse=True)
def signing_folder(settings: Any, tmp_path: Path) -> Path:
    """Keep the keys of a test in a folder of its own."""
    settings.TMS_SIGNING_DIR = str(tmp_path / "signing")
    return tmp_path / "signing"


def set_policy(policy: Any, value: Any) -> None:
    """Give a policy a value in the bound tenant."""
    policies.change(policy=policy, value=value, actor=None, reason="test")
