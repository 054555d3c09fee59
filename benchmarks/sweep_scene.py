"""A house whose dollar accounts all sweep: what the benchmarks of sweeps decide about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import database, house
from core import clock
from core.crypto import blind_index
from core.tenancy import bound
from treasury.models import (
    BankAccount,
    ExpectedFlow,
    RiskReading,
    Statement,
    StatementBalance,
    SweepMandate,
)
from treasury.services import sweeps
from treasury.services.reported import ReportedBalance

# A Tuesday, a quarter of an hour before the window of 15:30 UTC.
NOW = datetime(2026, 11, 17, 15, 16, tzinfo=UTC)
NEW_YORK = "America/New_York"
ACTOR = "system:treasury.sweeps"
_EARLIER = NOW - timedelta(minutes=30)
_CLONED = 2_000
# What a turn wrote; a constraint's own order (children first) so that nothing is left hanging.
WRITTEN = (
    "core_auditpending",
    "core_auditentry",
    "core_delivery",
    "core_outboxevent",
    "treasury_historicalsweeporder",
    "treasury_sweeporder",
    "treasury_sweepdecision",
    "treasury_referencecounter",
    "treasury_statementbalance",
    "treasury_statement",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The tenant and its accounts, by number."""

    tenant: UUID
    accounts: tuple[BankAccount, ...]

    def event(self, place: int, *, name: str, amount: Decimal, at: datetime) -> ReportedBalance:
        """Return the report of a balance of the account at a place."""
        return ReportedBalance(
            event_id=name,
            account=number_of(place),
            currency="USD",
            balance_type="ITAV",
            amount=amount,
            as_of=at,
        )


def number_of(place: int) -> str:
    """Return the number of the account at a place."""
    return f"{4_000_000_000 + place}"


def set_scene(folder: Path, *, count: int) -> Scene:
    """Build a house with `count` dollar accounts that have a mandate, a risk and flows."""
    built = house.build(folder)
    with clock.frozen(_EARLIER), bound(built.tenant, actor=house.ACTOR):
        _make_products()
        bank = house.make_bank("CHASUS33XXX", "First Bank")
        pattern = house.open_account(
            built, bank, number="999999999", currency="USD", code="021000021"
        )
        accounts = _clone(pattern, count)
        _give(accounts)
    database.analyse(
        [
            "treasury_bankaccount",
            "treasury_expectedflow",
            "treasury_riskreading",
            "treasury_sweepmandate",
            "treasury_statement",
            "treasury_statementbalance",
        ]
    )
    return Scene(tenant=built.tenant, accounts=tuple(accounts))


def _make_products() -> None:
    def make(code: str, kind: str, cutoff: time, **more: Any) -> None:
        sweeps.add_product(
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

    term: dict[str, Any] = {"settlement_days": 1, "tenor_days": 28}
    make("FED_RRP", "OVERNIGHT", time(13, 15), rate=Decimal("0.0350"))
    make("TBILL_4W", "BILL", time(14, 0), rate=Decimal("0.0385"), increment=Decimal(100), **term)
    make("CARBON_NOTE", "NOTE", time(12, 0), rate=Decimal("0.0360"), is_green=True, **term)


def _clone(pattern: BankAccount, count: int) -> list[BankAccount]:
    made = []
    for place in range(count):
        number = number_of(place)
        facts = {
            field.attname: getattr(pattern, field.attname)
            for field in BankAccount._meta.local_fields
            if field.attname not in {"id", "changed_at", "changed_by_id"}
        }
        facts |= {
            "label": f"Dollars {number}",
            "number": number,
            "number_index": blind_index(number),
            "number_hint": number[-4:],
        }
        made.append(BankAccount(**facts))
    return BankAccount.objects.bulk_create(made, batch_size=_CLONED)


def _give(accounts: Sequence[BankAccount]) -> None:
    """Give every account a mandate, a value at risk, a payout with its collection, a balance."""
    now = clock.now()
    SweepMandate.objects.bulk_create(
        [
            SweepMandate(
                name=f"Sweeps of {one.label}",
                account=one,
                order_max=Decimal(5_000_000),
                day_max=Decimal(8_000_000),
                valid_from=date(2026, 11, 1),
                valid_until=date(2026, 11, 30),
            )
            for one in accounts
        ],
        batch_size=_CLONED,
    )
    RiskReading.objects.bulk_create(
        [
            RiskReading(
                account=one,
                as_of=now.date() - timedelta(days=1),
                observed_at=now,
                method="historical",
                confidence=Decimal("0.99"),
                observations=250,
                var_amount=Decimal("800.00"),
                expected_shortfall=Decimal("900.00"),
                base_amount=Decimal("1000000.00"),
                base_kind="available",
                # Every tenth account is beyond the limit.
                var_bps=Decimal(12 if place % 10 == 0 else 8),
                inputs_sha256="a" * 64,
            )
            for place, one in enumerate(accounts)
        ],
        batch_size=_CLONED,
    )
    ExpectedFlow.objects.bulk_create(
        [
            ExpectedFlow(
                account=one,
                source="PAYOUT",
                source_ref=name,
                amount=Decimal(amount),
                value_date=date(2026, 11, 18),
                description=name,
                created_at=now,
            )
            for one in accounts
            for name, amount in (("payout", "-800000.00"), ("collection", "800000.00"))
        ],
        batch_size=_CLONED,
    )
    _state_balances(accounts, now)


def _state_balances(accounts: Sequence[BankAccount], now: datetime) -> None:
    """Let the morning's report have told a booked balance of every account."""
    rows = [
        Statement(
            account=one,
            source="API",
            statement_ref=f"morning-{number}",
            content_sha256="0" * 64,
            statement_date=now.date(),
            period_start=now.date(),
            period_end=now.date(),
            bank_created_at=now,
            received_at=now,
            state="POSTED",
            proof="NO_BALANCES",
        )
        for number, one in enumerate(accounts)
    ]
    Statement.objects.bulk_create(rows, batch_size=_CLONED)
    StatementBalance.objects.bulk_create(
        [
            StatementBalance(
                statement=row,
                account_id=row.account_id,
                code="ITBD",
                amount=Decimal("3000000.00"),
                on_date=now.date(),
                as_of=now,
            )
            for row in rows
        ],
        batch_size=_CLONED,
    )


def forget(scene: Scene) -> None:
    """Take away what a turn wrote, as nobody but the administrator could."""
    with database.administrator() as server, server.transaction():
        server.execute("SET LOCAL session_replication_role = replica")
        server.execute("DELETE FROM treasury_expectedflow WHERE source = 'SWEEP'")
        for table in WRITTEN:
            keep = {
                "treasury_statement": " WHERE statement_ref NOT LIKE 'morning-%'",
                "treasury_statementbalance": " WHERE code <> 'ITBD'",
            }.get(table, "")
            if keep or table.startswith(("core_", "treasury_historical")):
                server.execute(f"DELETE FROM {table}{keep}")
            else:
                server.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [scene.tenant])
    database.analyse([*WRITTEN, "treasury_expectedflow"])
