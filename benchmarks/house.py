"""A company with banks, accounts, people, rules and calendars, as small as a benchmark allows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from approvals import services as approvals
from benchmarks import database
from calendars import services as calendars
from core import clock
from core.identity.models import User
from core.identity.services import create_tenant, create_user
from core.tenancy import bound
from integrations import services as lines
from treasury.models import Bank, BankAccount, LegalEntity
from treasury.services import static

LINE = "bank"
# A Tuesday morning in London, no holiday anywhere: every rail of the house is open.
NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
ACTOR = "system:benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Who and what the benchmarks work with."""

    tenant: UUID
    entity: LegalEntity
    maker: User
    checkers: tuple[User, ...]


def build(folder: Path) -> House:
    """Empty the database and build a house in it."""
    database.empty()
    tenant = create_tenant(slug="north", name="North Remit").id
    with clock.frozen(NOW), bound(tenant, actor=ACTOR):
        calendars.install_reference_calendars()
        calendars.install_rails()
        approvals.install_default_rules()
        wish = lines.ConnectionIn(code=LINE, name="Bank", kind="FOLDER", directory=str(folder))
        lines.save_connection(wish=wish)
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
        return House(
            tenant=tenant,
            entity=entity,
            maker=_person("maker", "treasury_maker"),
            checkers=tuple(_person(f"checker{number}", "treasury_checker") for number in (1, 2)),
        )


def _person(name: str, role: str) -> User:
    return create_user(
        name=name,
        display_name=name.title(),
        roles=(role,),
        password=None,
        person_number=f"P-{name}",
    )


def auditor(house: House) -> User:
    """Make a person who may look at everything and change nothing."""
    with bound(house.tenant, actor=ACTOR):
        return _person("auditor", "auditor")


def make_bank(bic: str, name: str) -> Bank:
    """Make a bank whose payments leave by the folder line."""
    return static.create_bank(bic=bic, name=name, connection=LINE)


def open_account(
    house: House, bank: Bank, *, number: str, currency: str, label: str = "", code: str = ""
) -> BankAccount:
    """Open an account of the house's company."""
    return static.open_account(
        account=static.AccountIn(
            entity=house.entity,
            bank=bank,
            label=label or f"{currency} {number}",
            currency=currency,
            number=number,
            clearing_code=code,
            timezone="Europe/London",
            min_balance=Decimal(0),
        )
    )
