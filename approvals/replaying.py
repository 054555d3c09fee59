"""Replay past requests under other rules, before anybody approves these."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from approvals.engine.rules import Book, Difference, Past, Rule, differences
from approvals.models import ApprovalRequest, ApprovalRule
from approvals.policies import DUAL_CHECKER_THRESHOLD_USD
from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.registry import Preview
from core.policies.models import PolicyVersion

REPLAYED_DAYS: Final = 90
REPLAYED_MAX: Final = 5_000
SHOWN_MAX: Final = 20


def replay_rules(
    *,
    added: tuple[Rule, ...] = (),
    threshold_usd: Decimal | None = None,
    since: datetime,
) -> tuple[int, list[Difference]]:
    """Return how many requests were replayed, and those that would have needed other counts.

    `added` rules hold beside those in force; `threshold_usd` stands in for the policy's.
    """
    rules = tuple(_rule(row) for row in ApprovalRule.objects.all())
    present = Book(rules=rules, threshold_usd=policies.get(DUAL_CHECKER_THRESHOLD_USD))
    proposed = replace(
        present,
        rules=(*rules, *added),
        threshold_usd=present.threshold_usd if threshold_usd is None else threshold_usd,
    )
    rows = ApprovalRequest.objects.filter(submitted_at__gte=since).order_by("-id")
    pasts = [_past(row) for row in rows[:REPLAYED_MAX]]
    return len(pasts), differences(pasts, before=present, after=proposed)


def _rule(row: ApprovalRule) -> Rule:
    return Rule(**{one.name: getattr(row, one.name) for one in fields(Rule) if _has(row, one.name)})


def _past(row: ApprovalRequest) -> Past:
    usd = Decimal(0) if row.amount is None else row.usd_equivalent
    facts = {one.name: getattr(row, one.name) for one in fields(Past) if _has(row, one.name)}
    return Past(**{**facts, "usd": usd})


def _has(row: Any, name: str) -> bool:
    return name in {column.name for column in row._meta.local_fields}


def preview_rule(change: ChangeRequest) -> Preview | None:
    """Show what a proposed rule would have changed."""
    added = [
        _rule(ApprovalRule(**_typed(entry["after"])))
        for entry in change.rows
        if entry["table"] == ApprovalRule._meta.db_table
    ]
    return _preview(added=tuple(added))


def preview_threshold(change: ChangeRequest) -> Preview | None:
    """Show what another threshold would have changed."""
    for entry in change.rows:
        facts = entry["after"]
        if entry["table"] == PolicyVersion._meta.db_table:
            value = policies.parse(DUAL_CHECKER_THRESHOLD_USD, facts["value"])
            return _preview(threshold_usd=value)
    return None


def _typed(after: dict[str, Any]) -> dict[str, Any]:
    columns = {str(one.column): one for one in ApprovalRule._meta.local_fields}
    return {columns[name].attname: columns[name].to_python(value) for name, value in after.items()}


def _preview(*, added: tuple[Rule, ...] = (), threshold_usd: Decimal | None = None) -> Preview:
    since = clock.now() - timedelta(days=REPLAYED_DAYS)
    count, found = replay_rules(added=added, threshold_usd=threshold_usd, since=since)
    summary = (
        f"Of {count} requests in the last {REPLAYED_DAYS} days, {len(found)} would have needed"
        " another number of people."
    )
    lines = tuple((one.title, _people(one.before), _people(one.after)) for one in found[:SHOWN_MAX])
    return Preview(summary=summary, lines=lines)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
