"""Products and mandates in an opened tenant: proposed by one person, in force after another."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from core.changes.models import ChangeRequest
from core.changes.services import open_tenant, propose_change
from core.errors import Invalid
from core.identity.models import User
from core.tenancy import bound
from tests.approvals.stepping import shown
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.sweeps.conftest import Sweeping
from treasury.models import SweepEligibility, SweepMandate, SweepProduct


@scene
def opened(sweeping: Sweeping, user_with: MakeUser) -> dict[str, User]:
    """Open the tenant; return a clerk and two managers by name."""
    people = {
        "clerk": user_with("static_data", name="clerk"),
        "manager": user_with("treasury_manager", name="manager"),
        "manager2": user_with("treasury_manager", name="manager2"),
    }
    admin = user_with("tenant_admin", name="admin")
    with bound(sweeping.tenant.id, actor=admin.pk):
        open_tenant(actor=admin)
    return people


def proposed(sweeping: Sweeping, maker: User, model: str, row: Any, **values: Any) -> ChangeRequest:
    with bound(sweeping.tenant.id, actor=maker.pk):
        return propose_change(model=model, row_id=row, values=values, maker=maker, reason="Agreed.")


def approved(sweeping: Sweeping, change: ChangeRequest, by: User) -> str:
    found = approval_reads.request_of(subject_type="core.change", subject_id=change.pk)
    assert found is not None
    with bound(sweeping.tenant.id, actor=by.pk):
        approvals.decide(
            request_id=found.pk,
            checker=by,
            outcome="APPROVE",
            content_hash=found.content_hash,
            version=1,
            evidence=shown(by, found.content_hash),
        )
    return str(ChangeRequest.objects.get(pk=change.pk).state)


def test_a_products_rate_takes_two(
    sweeping: Sweeping, opened: dict[str, User], checker: User
) -> None:
    change = proposed(sweeping, opened["clerk"], "sweepproduct", "TBILL_4W", rate="0.0402")
    assert SweepProduct.objects.get(code="TBILL_4W").rate == Decimal("0.0385")
    assert approved(sweeping, change, checker) == "APPLIED"
    assert SweepProduct.objects.get(code="TBILL_4W").rate == Decimal("0.0402")


def test_a_mandate_is_a_control_that_a_manager_approves(
    sweeping: Sweeping, opened: dict[str, User]
) -> None:
    change = proposed(
        sweeping, opened["manager"], "sweepmandate", sweeping.mandate.pk, order_max="6000000"
    )
    assert approved(sweeping, change, opened["manager2"]) == "APPLIED"
    assert SweepMandate.objects.get().order_max == Decimal(6_000_000)


def test_a_new_mandate_names_account_and_product(
    sweeping: Sweeping, opened: dict[str, User]
) -> None:
    change = proposed(
        sweeping, opened["manager"], "sweepmandate", None,
        name="Bills only", account="More dollars", product="TBILL_4W", order_max="1000",
        day_max="1000", valid_from="2026-11-01", valid_until="2026-11-30",
    )  # fmt: skip
    assert approved(sweeping, change, opened["manager2"]) == "APPLIED"
    made = SweepMandate.objects.get(name="Bills only")
    assert (made.account, made.product) == (sweeping.house.usd_far, sweeping.bill)


@pytest.mark.parametrize(
    "values",
    [
        {"code": "OTHER"},
        {"rate": "3.85"},
        {"timezone": "Nowhere/Atall"},
        {"increment": "0.001"},
        {"cap": "-1"},
        {"kind": "SPACESHIP"},
    ],
)
def test_what_cannot_be_right_is_not_proposed(
    sweeping: Sweeping, opened: dict[str, User], values: dict[str, str]
) -> None:
    with pytest.raises(Invalid):
        proposed(sweeping, opened["clerk"], "sweepproduct", "TBILL_4W", **values)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE treasury_sweepmandate SET order_max = 1000000000",
        "UPDATE treasury_sweepproduct SET for_all_companies = true, cap = NULL, rate = 0",
        "DELETE FROM treasury_sweepmandate",
    ],
)
def test_the_database_wants_two_people_too(
    sweeping: Sweeping, opened: dict[str, User], attack: str
) -> None:
    with (
        pytest.raises(DatabaseError, match="another person"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack)
    assert not SweepEligibility.objects.exists()
