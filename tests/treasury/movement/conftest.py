"""A small treasury: two banks, rupee and dollar accounts with money, rules, rails and rates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from calendars import services as calendars
from calendars.constants import REFERENCE_YEARS
from core import clock
from core.identity.models import User
from core.tenancy import Tenant, bound
from integrations import services as lines
from tests import plans
from tests.approvals.stepping import shown
from tests.conftest import make_user
from tests.scenes import scene
from treasury.models import (
    BankAccount,
    Beneficiary,
    Proof,
    Proposal,
    Statement,
    StatementBalance,
    StatementSource,
    StatementState,
)
from treasury.services import beneficiaries, proposals, rates, static
from treasury.services.beneficiaries import BeneficiaryIn
from treasury.services.proposals import ProposalIn

# A Tuesday morning in London; New York is asleep, Mumbai is at work.
TUESDAY = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class House:
    """The accounts of the tests: `home` and `near` share a bank, `far` is at another one."""

    home: BankAccount
    near: BankAccount
    far: BankAccount
    usd: BankAccount
    usd_far: BankAccount


def put_balance(account: BankAccount, amount: str, *, at: datetime | None = None) -> None:
    """Give an account an available balance, as a posted statement states it."""
    moment = at or clock.now()
    reference = uuid4().hex[:12]
    statement = Statement.objects.create(
        account=account,
        source=StatementSource.CAMT053,
        statement_ref=reference,
        message_id=uuid4(),
        message_sha256="0" * 64,
        content_sha256="0" * 64,
        statement_date=moment.date(),
        period_start=moment.date(),
        period_end=moment.date(),
        received_at=moment,
        opening=Decimal(amount),
        closing=Decimal(amount),
        state=StatementState.POSTED,
        proof=Proof.PROVEN,
    )
    for code in ("CLBD", "CLAV"):
        StatementBalance.objects.create(
            statement=statement,
            account=account,
            code=code,
            amount=Decimal(amount),
            on_date=moment.date(),
            as_of=moment,
        )


# Enough for a frozen clock; each further year costs every test some ten milliseconds.
NEAR_YEARS = (2026, 2027)


def build_house(folder: Path, *, years: Sequence[int] = REFERENCE_YEARS) -> House:
    """Build the house in the bound tenant."""
    calendars.install_reference_calendars(years=years)
    calendars.install_rails()
    approvals.install_default_rules()
    lines.save_connection(
        wish=lines.ConnectionIn(
            code="host", name="Host to host", kind="FOLDER", directory=str(folder)
        )
    )
    entity = static.create_entity(
        entity=static.EntityIn(
            name="North Remit Limited",
            lei="5493001KJTIIGC8Y1R12",
            town="London",
            country="GB",
            street="Harbour Street",
            building_number="1",
            post_code="EC1A 1AA",
        )
    )
    mumbai = static.create_bank(bic="SBNKINBBXXX", name="First Bank", connection="host")
    other = static.create_bank(bic="OTHRINBBXXX", name="Other Bank", connection="host")
    new_york = static.create_bank(bic="SBNKUS33XXX", name="New York Bank", connection="host")
    boston = static.create_bank(bic="OTHRUS33XXX", name="Boston Bank", connection="host")

    def account(label: str, bank: object, currency: str, number: str, code: str) -> BankAccount:
        zone = "Asia/Kolkata" if currency == "INR" else "America/New_York"
        opened = static.open_account(
            account=static.AccountIn(
                entity=entity,
                bank=bank,  # type: ignore[arg-type]
                label=label,
                currency=currency,
                number=number,
                clearing_code=code,
                timezone=zone,
            )
        )
        put_balance(opened, "50000000.00")
        return opened

    rates.record_usd_rate(
        currency="INR", usd_per_unit=Decimal("0.0117"), as_of=clock.now(), source="test"
    )
    return House(
        home=account("Payout", mumbai, "INR", "1000000001", "SBNK0000001"),
        near=account("Collection", mumbai, "INR", "1000000002", "SBNK0000001"),
        far=account("Reserve", other, "INR", "2000000009", "OTHR0000001"),
        usd=account("Dollars", new_york, "USD", "3000000001", "021000021"),
        usd_far=account("More dollars", boston, "USD", "3000000002", "011000015"),
    )


@pytest.fixture
def at_work() -> object:
    """Hold the clock on a Tuesday morning."""
    with clock.frozen(TUESDAY):
        yield TUESDAY


@scene
def house(
    tenant: Tenant, at_work: datetime, tmp_path: Path, checker: User, checker2: User
) -> House:
    """The house, with two checkers around."""
    return build_house(tmp_path, years=NEAR_YEARS)


def propose(house: House, maker: User, amount: str = "2750000.00", **more: object) -> Proposal:
    """Make and submit a proposal from `near` to `home`."""
    terms: dict[str, object] = {
        "debit_account": house.near.pk,
        "amount": Decimal(amount),
        "why": "Payouts of tomorrow",
        **more,
    }
    if not terms.keys() & {"beneficiary", "typed_in", "credit_account"}:
        terms["credit_account"] = house.home.pk
    made = proposals.create_proposal(draft=ProposalIn(**terms), maker=maker)  # type: ignore[arg-type]
    return proposals.submit_proposal(proposal_id=made.pk, actor=maker)


def to_see(request: Any) -> tuple[str, ...]:
    """Return the codes of the flags that a checker of the request must acknowledge."""
    return tuple(flag["code"] for flag in request.flags if flag["severity"] == "ack")


def approve(tenant: Tenant | UUID, proposal: Proposal, checker: User) -> None:
    """Approve as `checker`, bound as that person."""
    tenant_id = tenant if isinstance(tenant, UUID) else tenant.id
    with bound(tenant_id, actor=checker.pk):
        request = approval_reads.request_of(
            subject_type="treasury.proposal",
            subject_id=proposal.pk,
            subject_version=proposal.version,
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=replace(shown(checker, request.content_hash), acknowledged=to_see(request)),
        )


def later(minutes: float) -> datetime:
    """Return the present of the frozen clock plus some minutes."""
    return clock.now() + timedelta(minutes=minutes)


SUPPLIER = {
    "name": "Baker Supplies Inc",
    "number": "4000000077",
    "bank_bic": "PAYEUS33XXX",
    "clearing_code": "026009593",
    "currency": "USD",
    "street": "Mill Road",
    "building_number": "7",
    "post_code": "02110",
    "town": "Boston",
    "country": "US",
    "payment_purpose": "SUPP",
}


@scene
def keeper(tenant: Tenant) -> User:
    """A person who keeps static data."""
    return make_user("keeper", "static_data")


def put_on_the_list(tenant: Tenant, keeper: User, **more: str) -> Beneficiary:
    """Put a supplier in Boston on the list, as `keeper`."""
    with bound(tenant.id, actor=keeper.pk):
        return beneficiaries.create_beneficiary(
            beneficiary=BeneficiaryIn(**{**SUPPLIER, **more}), actor=keeper
        )


@scene
def supplier(house: House, tenant: Tenant, keeper: User) -> Beneficiary:
    """A supplier whom nobody has verified yet."""
    return put_on_the_list(tenant, keeper)


def age(table: str = "treasury_beneficiary", *, hours: int = 25) -> None:
    """Let the accounts of a table look unchanged for so long: their guard looks away meanwhile."""
    trigger = "stamp" if table == "treasury_bankaccount" else "guard"
    with guard_replaced(table, trigger), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET changed_at = changed_at - interval '{hours} hours'")


class guard_replaced:  # noqa: N801 - reads as a phrase
    """Make one guard let everything pass, as the owner could, in this worker's own database."""

    def __init__(self, table: str, trigger: str) -> None:
        self.table, self.trigger = table, trigger

    def __enter__(self) -> None:
        self.owner = psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True)
        row = self.owner.execute(
            "SELECT p.proname, pg_get_functiondef(p.oid) FROM pg_trigger t"
            " JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE t.tgrelid = %s::regclass AND t.tgname = %s",
            [self.table, self.trigger],
        ).fetchone()
        assert row is not None
        name, self.definition = row
        self.owner.execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'"
        )
        plans.forget(connection)

    def __exit__(self, *_exception: object) -> None:
        self.owner.execute(self.definition)
        self.owner.close()
        plans.forget(connection)


def sql(statement: str, **values: Any) -> int:
    """Run one statement as the app role and return how many rows it touched."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
