"""Static data of a demo tenant: company, banks, accounts, lines, calendars, rules, rates."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from approvals import services as approvals
from calendars import services as calendars
from core import clock
from core.identity.services import create_tenant
from fx.services.sources import install_usual_sources
from integrations import services as lines
from tms.demo.accounts import FOLDER_LINE, GULF, HTTP_LINE, PARENT, DemoAccount
from tms.demo.numbers import lei_with_check
from tms.demo.places import BankPlace
from treasury.services import static

LEI_PREFIX: Final = "9999DEMO{number:02d}00REMIT0"
GULF_LEI_PREFIX: Final = "9999DEMO{number:02d}000GULF0"
CALENDAR_YEARS_AROUND: Final = 2


def make_tenant(*, slug: str, number: int) -> UUID:
    """Create the tenant of that number."""
    name = "Demo Remit" if number == 1 else f"Demo Remit {number}"
    return create_tenant(slug=slug, name=name).id


def make_static_data(
    *, accounts: Sequence[DemoAccount], place: BankPlace, tenant_number: int, secret: str
) -> dict[str, UUID]:
    """Make everything that statements and payments need; return account number → id."""
    year = clock.now().year
    years = range(year - CALENDAR_YEARS_AROUND, year + CALENDAR_YEARS_AROUND + 1)
    calendars.install_reference_calendars(years=tuple(years))
    calendars.install_rails()
    install_usual_sources()
    approvals.install_default_rules()
    _make_lines(place, secret)
    return _open_accounts(accounts, tenant_number)


def _make_lines(place: BankPlace, secret: str) -> None:
    lines.save_connection(
        wish=lines.ConnectionIn(
            code=FOLDER_LINE,
            name="Sandbox Bank, host to host",
            kind="FOLDER",
            directory=str(place.home),
        )
    )
    lines.save_connection(
        wish=lines.ConnectionIn(
            code=HTTP_LINE,
            name="Sandbox Trust, HTTP",
            kind="HTTP",
            base_url=place.base_url,
            secret=secret,
            rate_per_minute=6_000,
        )
    )


def _companies(tenant_number: int) -> tuple[static.EntityIn, ...]:
    """Return the company and its subsidiary in the Gulf."""
    parent = static.EntityIn(
        name=PARENT,
        lei=lei_with_check(LEI_PREFIX.format(number=tenant_number)),
        street="Example Street",
        building_number="10",
        post_code="EC1A 1AA",
        town="London",
        country="GB",
    )
    gulf = static.EntityIn(
        name=GULF,
        lei=lei_with_check(GULF_LEI_PREFIX.format(number=tenant_number)),
        street="Example Road",
        building_number="4",
        town="Dubai",
        country="AE",
    )
    return (parent, gulf)


def _open_accounts(accounts: Sequence[DemoAccount], tenant_number: int) -> dict[str, UUID]:
    companies = {one.name: static.create_entity(entity=one) for one in _companies(tenant_number)}
    banks = {
        one.bic: static.create_bank(
            bic=one.bic, name=str(one.facts["bank_name"]), connection=one.line
        )
        for one in {one.bic: one for one in accounts}.values()
    }
    opened = {}
    for one in accounts:
        row = static.open_account(
            account=static.AccountIn(
                entity=companies[one.role.company],
                bank=banks[one.bic],
                label=one.role.label,
                currency=one.currency,
                number=one.number,
                timezone=str(one.facts["timezone"]),
                clearing_code=one.clearing_code,
                kind=one.role.kind,
                min_balance=one.role.floor,
                statement_hours_expected=one.role.hours,
            )
        )
        opened[one.number] = row.pk
    return opened
