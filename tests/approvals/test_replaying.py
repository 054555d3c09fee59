"""Before rules change, they are replayed over what was submitted in the past."""

from datetime import timedelta
from decimal import Decimal

import pytest

from approvals import selectors
from approvals.engine.rules import Book, Past, Rule, required_count
from approvals.policies import DUAL_CHECKER_THRESHOLD_USD
from approvals.replaying import replay_rules
from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.selectors import preview_of
from core.changes.services import open_tenant, propose_change
from core.identity.models import User
from core.money import Money
from core.tenancy import Tenant, bound
from tests.approvals.factories import Subject, submit
from tests.conftest import MakeUser
from tests.scenes import scene

MILLION = Decimal(1_000_000)


@pytest.mark.parametrize(
    ("rules", "past", "count"),
    [
        ((), Past(title="", action="x", usd=Decimal(1)), 2),
        ((Rule(required_count=1),), Past(title="", action="x", usd=Decimal(1)), 1),
        ((Rule(required_count=1),), Past(title="", action="x", usd=10 * MILLION), 1),
        ((Rule(required_count=1),), Past(title="", action="x", usd=10 * MILLION + 1), 2),
        ((Rule(required_count=1),), Past(title="", action="x", usd=None), 2),
        (
            (Rule(required_count=1), Rule(required_count=3, action="x")),
            Past(title="", action="x", usd=Decimal(1)),
            3,
        ),
        (
            (Rule(required_count=1), Rule(required_count=3, currency="EUR")),
            Past(title="", action="x", usd=Decimal(1), currency="USD"),
            1,
        ),
        (
            (Rule(required_count=1), Rule(required_count=1, step=2)),
            Past(title="", action="x", usd=Decimal(1)),
            2,
        ),
    ],
)
def test_what_a_book_of_rules_asks_for(rules: tuple[Rule, ...], past: Past, count: int) -> None:
    assert required_count(Book(rules=rules, threshold_usd=10 * MILLION), past) == count


def test_the_replay_counts_as_the_database_does(desk: Subject, maker: User) -> None:
    """Under the rules in force the replay and the requests themselves agree."""
    for amount in ("1000.00", "10000000.00", "10000000.01", "25000000.00"):
        submit(maker=maker, amount=Money(Decimal(amount), "USD"), title=amount)
    since = clock.now() - timedelta(days=1)
    assert replay_rules(since=since) == (4, [])
    count, found = replay_rules(added=(Rule(required_count=2, rail="FEDWIRE"),), since=since)
    assert count == 4
    assert {(one.title, one.before, one.after) for one in found} == {
        ("1000.00", 1, 2),
        ("10000000.00", 1, 2),
    }
    assert replay_rules(added=(Rule(required_count=2, rail="CHAPS"),), since=since)[1] == []


@scene
def risk(user_with: MakeUser) -> User:
    return user_with("risk_officer", name="risk")


def test_checkers_read_the_replay(
    tenant: Tenant, desk: Subject, maker: User, manager: User, risk: User
) -> None:
    submit(maker=maker, amount=Money(Decimal("5000000.00"), "USD"), title="Five million")
    open_tenant(actor=None)
    with bound(tenant.pk, actor=risk.pk):
        change = policies.change(
            policy=DUAL_CHECKER_THRESHOLD_USD, value=MILLION, actor=risk, reason="audit"
        )
        rule = propose_change(
            model="approvalrule",
            row_id=None,
            values={"required_count": 3, "currency": "USD", "role": "treasury_checker"},
            maker=risk,
            reason="A hard week.",
        )
    for proposed, after in ((change, "2 people"), (rule, "3 people")):
        assert isinstance(proposed, ChangeRequest)
        preview = preview_of(proposed)
        assert preview is not None
        assert ("Five million", "1 person", after) in preview.lines
        request = selectors.request_of(subject_type="core.change", subject_id=proposed.pk)
        assert request is not None
        detail = selectors.request_detail(request_id=request.pk, user=manager)
        assert ("· Five million", f"1 person → {after}") in detail.description.facts
        assert "1 would have needed" in dict(detail.description.facts)["Replayed over the past"]
