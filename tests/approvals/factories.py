"""What approvals are about in these tests: a thing that remembers what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from approvals import registry, services
from approvals.models import ApprovalRequest, CheckerRole
from core.events.models import OutboxEvent
from core.identity.models import User
from core.ids import uuid7
from core.money import Money
from core.tenancy import bound
from tests.conftest import stepped_up

SUBJECT = "test.thing"
NOON = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
EVIDENCE = services.Evidence(auth_method="test", auth_at=NOON, ip="192.0.2.7")


@dataclass
class Subject:
    """Keeps every outcome that it was told, and may refuse or requote."""

    told: list[registry.SubjectOutcome] = field(default_factory=list)
    refusal: Exception | None = None
    refused_id: UUID | None = None
    quote: registry.UsdQuote | None = None

    @property
    def states(self) -> list[str]:
        return [outcome.state for outcome in self.told]

    def hear(self, outcome: registry.SubjectOutcome) -> None:
        if self.refusal is not None and self.refused_id in (None, outcome.subject_id):
            raise self.refusal
        self.told.append(outcome)

    def requote(self, _amount: Decimal, _currency: str) -> registry.UsdQuote | None:
        return self.quote

    def describe(self, subject_id: UUID) -> registry.SubjectDescription:
        return registry.SubjectDescription(
            title=f"Thing {subject_id}", url=f"/things/{subject_id}", facts=(("Kind", "a thing"),)
        )


@contextmanager
def registered_subject(
    on_changes_requested: registry.Callback | None = None,
) -> Iterator[Subject]:
    """Register the test's subject, and forget it afterwards."""
    subject = Subject()
    before = registry._subjects.get(SUBJECT)
    registry.register(
        SUBJECT,
        registry.SubjectHooks(
            on_approved=subject.hear,
            on_rejected=subject.hear,
            on_expired=subject.hear,
            on_cancelled=subject.hear,
            on_changes_requested=on_changes_requested,
            describe=subject.describe,
            requote=subject.requote,
        ),
    )
    try:
        yield subject
    finally:
        registry._subjects.pop(SUBJECT)
        if before is not None:
            registry.register(SUBJECT, before)


def submission(**changes: Any) -> services.Submission:
    """Return a submission of 2,750,000.00 USD made by the system, with changes."""
    facts: dict[str, Any] = {
        "action": "fund_movement",
        "subject_type": SUBJECT,
        "subject_id": uuid7(),
        "subject_version": 1,
        "title": "Prefund Kolkata",
        "maker": None,
        "maker_label": "system:prefunding",
        "amount": Money(Decimal("2750000.00"), "USD"),
        "rail": "FEDWIRE",
        "usd_equivalent": None,
        "usd_rate": None,
        "usd_rate_at": None,
        "cutoff_at": None,
    }
    facts |= changes
    money = facts["amount"]
    plain = {"amount": money.amount, "currency": money.currency} if money else {"name": "new"}
    facts.setdefault("content", plain)
    return services.Submission(**facts)


def submit(**changes: Any) -> ApprovalRequest:
    return services.submit(submission=submission(**changes))


def add_chain(actor: User, **scope: Any) -> None:
    """Rule that a manager approves first, then two more people."""
    for step, count, role in ((1, 1, CheckerRole.MANAGER), (2, 2, CheckerRole.CHECKER)):
        rule = services.RuleIn(required_count=count, role=role, step=step, **scope)
        services.add_rule(rule=rule, actor=actor)


def decide(
    request: ApprovalRequest, checker: User, outcome: str = "APPROVE", **changes: Any
) -> services.DecisionResult:
    """Decide as the checker, bound to what the request shows.

    `acknowledged` and `delegation` go into the evidence.
    """
    evidence = {
        name: changes.pop(name) for name in ("acknowledged", "delegation") if name in changes
    }
    facts: dict[str, Any] = {
        "content_hash": request.content_hash,
        "version": request.subject_version,
        "evidence": EVIDENCE,
        "reason": "" if outcome == "APPROVE" else "Wrong account.",
    }
    with bound(str(request.tenant_id), actor=checker.pk):
        if outcome == "APPROVE" and "evidence" not in changes:
            proof = stepped_up(checker, request.content_hash)
            facts["evidence"] = replace(EVIDENCE, step_up=proof, **evidence)
        return services.decide(
            request_id=request.pk, checker=checker, outcome=outcome, **facts | changes
        )


def topics() -> list[str]:
    """Return the last words of the topics published so far, in order."""
    rows = OutboxEvent.objects.filter(topic__startswith="maker_checker.").order_by("id")
    return [topic.rpartition(".")[2] for topic in rows.values_list("topic", flat=True)]


def payloads(word: str) -> list[dict[str, Any]]:
    """Return the payloads of all events of one kind, in order."""
    rows = OutboxEvent.objects.filter(topic=f"maker_checker.proposal.{word}").order_by("id")
    return list(rows.values_list("payload", flat=True))
