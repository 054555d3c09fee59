"""Before a policy changes its checkers see what it would have changed, or why that is unknown."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from approvals import policies as knobs
from approvals import services
from approvals.models import ApprovalRequest
from approvals.previews import compared
from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.registry import policy_preview
from core.changes.selectors import preview_of
from core.changes.services import open_tenant
from core.identity.models import User
from core.tenancy import bound
from tests.approvals.factories import NOON, Subject, decide, submit
from tests.approvals.test_authority import GLASS, dollars
from tests.conftest import MakeUser
from treasury import policies as treasury

MINUTE = timedelta(minutes=1)


@pytest.fixture
def opened(desk: Subject, manager: User, user_with: MakeUser) -> User:
    """A tenant under four eyes; returns who proposes policies."""
    risk = user_with("risk_officer", name="risk")
    open_tenant(actor=None)
    return risk


def shown(policy: policies.Policy[Any], value: Any, actor: User) -> dict[str, Any]:
    """Propose a value and return what its checkers are shown."""
    with bound(str(actor.tenant_id), actor=actor.pk):
        change = policies.change(policy=policy, value=value, actor=actor, reason="audit")
    assert isinstance(change, ChangeRequest)
    preview = preview_of(change)
    assert preview is not None
    return asdict(preview)


def test_who_would_have_escalated(opened: User, maker: User, checker: User) -> None:
    with clock.frozen(NOON):
        quick, slow = submit(title="Quick"), submit(title="Slow")
    for request, waited in ((quick, 5), (slow, 20)):
        with clock.frozen(NOON + waited * MINUTE):
            decide(request, checker)
    with clock.frozen(NOON + 60 * MINUTE):
        found = shown(knobs.MAKER_CHECKER_TIMEOUT_MIN, 15, opened)
    assert found["lines"] == (("Slow", "does not", "escalates"),)


def test_what_broken_glass_would_have_refused(opened: User) -> None:
    submit(title="Small", amount=dollars(1_000), break_glass=GLASS)
    submit(title="Large", amount=dollars(9_000_000), break_glass=GLASS)
    refused = (("Large", "not refused", "refused"),)
    assert shown(knobs.BREAK_GLASS_USD_MAX, 5_000_000, opened)["lines"] == refused
    assert shown(knobs.BREAK_GLASS_PER_DAY_MAX, 1, opened)["lines"] == refused
    assert shown(knobs.BREAK_GLASS_DAY_USD_MAX, 9_000_000, opened)["lines"] == refused


def test_which_managers_came_too_early(opened: User, manager: User) -> None:
    with clock.frozen(NOON):
        request = submit(title="Late one")
        services.escalate_due(now=NOON + 30 * MINUTE)
    with clock.frozen(NOON + 31 * MINUTE):
        decide(ApprovalRequest.objects.get(pk=request.pk), manager)
        found = shown(knobs.MANAGERS_APPROVE_FROM_LEVEL, 2, opened)
    assert found["lines"] == (("Late one", "counts", "too early"),)


def test_what_has_no_past_that_can_be_replayed_says_why(opened: User) -> None:
    found = shown(treasury.COOL_OFF_HOURS, 48, opened)
    assert "Nothing of the past can be replayed" in found["summary"]
    assert found["lines"] == ()


def test_a_limit_is_replayed_over_proposals(opened: User) -> None:
    found = shown(treasury.OUTFLOW_24H_MAKER_USD_MAX, 1_000, opened)
    assert "Of 0 proposals" in found["summary"]


def test_every_policy_of_the_controls_has_a_preview() -> None:
    controls = [name for room in (knobs, treasury) for name in vars(room) if name.isupper()]
    known = set(policies.defined())
    without = {name for name in controls if name in known and policy_preview(name) is None}
    assert without == set()


def test_lines_are_the_cases_that_differ() -> None:
    found = compared([("a", True, True), ("b", True, False)], what="cases", yes="y", no="n")
    assert found.lines == (("b", "y", "n"),)
    assert found.summary.startswith("Of 2 cases in the last 90 days, 1 would")
