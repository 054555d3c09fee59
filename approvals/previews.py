"""What other values of this room's policies would have changed for past requests."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from approvals.models import ApprovalRequest, CheckerRole, Decision, Outcome
from approvals.policies import (
    APPROVAL_RATE_AGE_HOURS,
    BREAK_GLASS_DAY_USD_MAX,
    BREAK_GLASS_PER_DAY_MAX,
    BREAK_GLASS_USD_MAX,
    MAKER_CHECKER_TIMEOUT_MIN,
    MANAGERS_APPROVE_FROM_LEVEL,
    STEP_UP_FOR_EVERY_APPROVAL,
)
from approvals.replaying import REPLAYED_DAYS, REPLAYED_MAX, SHOWN_MAX
from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.registry import Preview, preview_policy
from core.policies.models import PolicyVersion

DAY: Final = timedelta(days=1)
Test = Callable[[ApprovalRequest, Any], bool]


def proposed_value(change: ChangeRequest, policy: policies.Policy[Any]) -> Any:
    """Return the value that a change gives a policy."""
    for entry in change.rows:
        if entry["table"] == PolicyVersion._meta.db_table:
            return policies.parse(policy, entry["after"]["value"])
    return policies.get(policy)


def compared(cases: Iterable[tuple[str, bool, bool]], *, what: str, yes: str, no: str) -> Preview:
    """Return how many cases came out otherwise, and the first of them; `what` is their name."""
    found = list(cases)
    changed = [(name, was, becomes) for name, was, becomes in found if was != becomes]
    words = {True: yes, False: no}
    return Preview(
        summary=f"Of {len(found)} {what} in the last {REPLAYED_DAYS} days,"
        f" {len(changed)} would have come out otherwise.",
        lines=tuple(
            (name, words[was], words[becomes]) for name, was, becomes in changed[:SHOWN_MAX]
        ),
    )


def without_past(words: str) -> Callable[[ChangeRequest], Preview]:
    """Return a preview that says why nothing can be replayed."""
    return lambda _change: Preview(
        summary=f"Nothing of the past can be replayed: {words}", lines=()
    )


def _recent() -> Iterable[ApprovalRequest]:
    since = clock.now() - timedelta(days=REPLAYED_DAYS)
    return ApprovalRequest.objects.filter(submitted_at__gte=since).order_by("-id")[:REPLAYED_MAX]


def _replayed(policy: policies.Policy[Any], test: Test, **words: str) -> None:
    def preview(change: ChangeRequest) -> Preview:
        old, new = policies.get(policy), proposed_value(change, policy)
        cases = ((row.title, test(row, old), test(row, new)) for row in _recent())
        return compared(cases, **words)

    preview_policy(policy.key, preview)


def _escalated(row: ApprovalRequest, minutes: int) -> bool:
    until = row.decided_at or clock.now()
    patience = timedelta(minutes=minutes)
    if row.cutoff_at is not None:
        patience = min(patience, (row.cutoff_at - row.submitted_at) / 2)
    return until - row.submitted_at >= patience


def _rate_was_stale(row: ApprovalRequest, hours: int) -> bool:
    if row.amount is None or row.currency == "USD":
        return False
    return row.usd_rate_at is None or row.submitted_at - row.usd_rate_at > timedelta(hours=hours)


def _glass_before(row: ApprovalRequest) -> list[ApprovalRequest]:
    at: datetime = row.submitted_at
    found = ApprovalRequest.objects.filter(
        break_glass__isnull=False, submitted_at__gt=at - DAY, submitted_at__lt=at
    )
    return list(found[:REPLAYED_MAX])


def _too_much_for_glass(row: ApprovalRequest, usd_max: Decimal) -> bool:
    worth = row.usd_equivalent
    return row.break_glass is not None and (worth is None or worth > usd_max)


def _too_often(row: ApprovalRequest, times: int) -> bool:
    return row.break_glass is not None and len(_glass_before(row)) >= times


def _too_much_in_a_day(row: ApprovalRequest, usd_max: Decimal) -> bool:
    if row.break_glass is None:
        return False
    worth = [one.usd_equivalent or Decimal(0) for one in (row, *_glass_before(row))]
    return sum(worth, Decimal(0)) > usd_max


def _approvals() -> Iterable[Decision]:
    since = clock.now() - timedelta(days=REPLAYED_DAYS)
    found = Decision.objects.filter(outcome=Outcome.APPROVE, decided_at__gte=since)
    return found.select_related("request").order_by("-id")[:REPLAYED_MAX]


def _step_ups(change: ChangeRequest) -> Preview:
    """Show which approvals carried no second factor and would have needed one, or need none."""
    old = policies.get(STEP_UP_FOR_EVERY_APPROVAL)
    new = proposed_value(change, STEP_UP_FOR_EVERY_APPROVAL)
    cases = ((one.request.title, old, new) for one in _approvals())
    words = {"yes": "second factor asked for", "no": "above the dual threshold only"}
    return compared(cases, what="approvals", **words)


def _levels(change: ChangeRequest) -> Preview:
    """Show which approvals by managers came at a level at which they would not have counted."""
    old = policies.get(MANAGERS_APPROVE_FROM_LEVEL)
    new = proposed_value(change, MANAGERS_APPROVE_FROM_LEVEL)
    given = (
        (one.request.title, one.request.escalation_level)
        for one in _approvals()
        if one.as_role == CheckerRole.MANAGER
        and one.request.amount is not None
        and not one.request.required_manager_count
    )
    cases = ((title, level >= old, level >= new) for title, level in given)
    return compared(cases, what="approvals by managers", yes="counts", no="too early")


def register_previews() -> None:
    """Name what replays each policy of this room."""
    _replayed(
        MAKER_CHECKER_TIMEOUT_MIN, _escalated, what="requests", yes="escalates", no="does not"
    )
    _replayed(
        APPROVAL_RATE_AGE_HOURS, _rate_was_stale, what="requests",
        yes="counts as above every threshold", no="counts at its worth",
    )  # fmt: skip
    glass: tuple[tuple[policies.Policy[Any], Test], ...] = (
        (BREAK_GLASS_USD_MAX, _too_much_for_glass),
        (BREAK_GLASS_PER_DAY_MAX, _too_often),
        (BREAK_GLASS_DAY_USD_MAX, _too_much_in_a_day),
    )
    for policy, test in glass:
        _replayed(policy, test, what="requests", yes="refused", no="not refused")
    preview_policy(STEP_UP_FOR_EVERY_APPROVAL.key, _step_ups)
    preview_policy(MANAGERS_APPROVE_FROM_LEVEL.key, _levels)
