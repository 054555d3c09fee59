"""The demo: who and what it makes, that it stays itself, and where it refuses to be made."""

import json
import sqlite3
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import schwifty
from django.core.management import CommandError, call_command

from core import clock
from core.events.models import Delivery, DeliveryState
from core.identity.models import User
from core.tenancy import bound
from tms.demo import people
from tms.demo.accounts import demo_accounts
from tms.demo.numbers import lei_with_check
from tms.demo.places import PEOPLE_FACTS, PEOPLE_TEXT, TENANTS_MAX
from tms.ops.tenants import all_tenants, chosen_tenants
from treasury.models import BankAccount, BankEntry, PoolPair, PrefundingRequest, UsdRate
from treasury.selectors import lending, pool_page, positions, sweeps
from treasury.selectors.invariants import invariants
from treasury.selectors.readiness import CHECK, FIX, READY, readiness

DAYS = 3


def seed(*more: str) -> dict[str, Any]:
    out = StringIO()
    call_command("seed_demo", "--json", "--days", str(DAYS), *more, stdout=out, stderr=StringIO())
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def facts_of(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / PEOPLE_FACTS).read_text())["tenants"][0]
    return found


def test_a_demo_can_be_worked_with_at_once(committed_db: None, demo_home: Path) -> None:
    report = seed()

    assert report["made"] == ["demo"]
    tenant = chosen_tenants("demo")[0]
    with bound(tenant.id):
        assert User.objects.count() == len(people.PARTS) == len(report["tenants"][0]["people"])
        maker = User.objects.get(username="maker@demo")
        password = report["tenants"][0]["people"][0]["password"]
        assert len(password) >= 15
        assert maker.check_password(password)
        assert BankAccount.objects.count() == 11
        assert UsdRate.objects.values("currency").distinct().count() == 4
        request = PrefundingRequest.objects.get(currency="INR", sequence=1)
        assert request.proposal is not None, request.problem
        assert request.proposal.state == "PENDING"
        assert request.account.label == "INR Payouts"
        assert not Delivery.objects.exclude(state=DeliveryState.DONE).exists()
        assert invariants() == []
        ready = readiness()
        assert ready.counts == {FIX: 0, CHECK: 1, READY: 13}, [
            (r.beneficiary.name, r.state, r.findings) for r in ready.rows
        ]
        shown = {one.number_hint: one.balance for one in positions.positions(on=_today())}
        (swept,) = sweeps.swept_accounts(on=_today())
        assert swept.label == "USD Operating"
        assert sweeps.present_inputs(account=swept).money.available == shown[swept.number_hint]
        assert {one.code for one in sweeps.products()} == {"FED_RRP", "TBILL_4W", "CARBON_NOTE"}
        views = {one.pool.code: one for one in pool_page.views(now=clock.now())}
        assert views.keys() == {"GBP-TARGET", "EUR-SUM", "AED-BANK"}
        assert {one.entity.name for one in BankAccount.objects.filter(currency="AED")} == {
            "Demo Remit Limited",
            "Demo Remit Gulf FZE",
        }
        # What the bank moved between the two companies, if it did on these days, is lent money.
        concentrated = BankEntry.objects.filter(transaction_code__startswith="CAMT/ACCB/")
        assert concentrated.count() == 2 * PoolPair.objects.count()
        lent = lending.balances(until=_today())
        assert sum(one.entries_count for one in lent) == PoolPair.objects.count()
        assert views["EUR-SUM"].benefit is not None
        assert views["EUR-SUM"].benefit.advantage > 0
    assert shown == _balances_at_the_bank(demo_home / "bank")
    for name in (PEOPLE_TEXT, PEOPLE_FACTS):
        assert (demo_home / name).stat().st_mode & 0o077 == 0


def _today() -> Any:
    return clock.now().date()


def _balances_at_the_bank(home: Path) -> dict[str, Decimal | None]:
    with sqlite3.connect(home / "book.sqlite3") as book:
        rows = book.execute("SELECT name, balance FROM account").fetchall()
    return {name[-4:]: Decimal(balance) / 100 for name, balance in rows}


def test_a_second_run_changes_nothing_and_an_interrupted_one_is_finished(
    committed_db: None, demo_home: Path
) -> None:
    first = seed()
    tenant = chosen_tenants("demo")[0]
    with bound(tenant.id):
        before = BankEntry.objects.count(), PrefundingRequest.objects.count()

    again = seed("--if-empty")

    assert (again["made"], again["kept"]) == ([], ["demo"])
    assert again["tenants"][0]["people"] == first["tenants"][0]["people"]

    facts = json.loads((demo_home / PEOPLE_FACTS).read_text())
    facts["tenants"][0]["stage"] = "begun"
    (demo_home / PEOPLE_FACTS).write_text(json.dumps(facts))
    finished = seed("--if-empty")

    assert finished["made"] == ["demo"]
    assert facts_of(demo_home)["stage"] == "complete"
    with bound(tenant.id):
        assert (BankEntry.objects.count(), PrefundingRequest.objects.count()) == before


def test_every_further_tenant_has_a_bank_and_numbers_of_its_own(
    committed_db: None, demo_home: Path
) -> None:
    report = seed("--tenants", "2")

    assert [tenant.slug for tenant in all_tenants()] == ["demo", "demo2"]
    homes = {row["bank_home"] for row in report["tenants"]}
    urls = {row["bank_url"] for row in report["tenants"]}
    assert len(homes) == len(urls) == 2


@pytest.mark.parametrize("mode", ["production", ""])
def test_no_demo_is_made_in_production(db: None, demo_home: Path, settings: Any, mode: str) -> None:
    settings.TMS_MODE = mode
    with pytest.raises(CommandError, match="local and test mode only"):
        seed()
    assert all_tenants() == []
    assert list(demo_home.iterdir()) == []


def test_a_tenant_of_that_name_from_elsewhere_is_not_touched(
    committed_db: None, demo_home: Path
) -> None:
    from core.identity.services import create_tenant

    create_tenant(slug="demo", name="Somebody else")
    with pytest.raises(CommandError, match="not from a seeding here"):
        seed()


def test_account_numbers_are_right_and_never_shared() -> None:
    seen: set[str] = set()
    for number in range(1, TENANTS_MAX + 1):
        for account in demo_accounts(number):
            assert account.number not in seen
            seen.add(account.number)
            if account.facts["iban"]:
                schwifty.IBAN(account.number)
            source = account.facts["profile"].get("top_up", {}).get("source")
            assert source is None or source in {one.number for one in demo_accounts(number)}


def test_an_lei_gets_its_check_digits() -> None:
    # The example of ISO 17442 as GLEIF publishes it.
    assert lei_with_check("506700GE1G29325QX3") == "506700GE1G29325QX363"


def test_passwords_follow_the_seed_in_local_mode_only(settings: Any) -> None:
    settings.TMS_MODE = "local"
    assert people._password(people._material("7:maker")) == people._password(
        people._material("7:maker")
    )
    assert people._material("7:maker") != people._material("8:maker")
    settings.TMS_MODE = "test"
    assert people._material("7:maker") != people._material("7:maker")
