"""The desk at which change requests are approved: fills the port of `core.changes`."""

from uuid import UUID

from django.db import models
from django.urls import NoReverseMatch, reverse

from approvals import registry, selectors, services
from approvals.models import ApprovalRule
from approvals.policies import DUAL_CHECKER_THRESHOLD_USD
from approvals.replaying import preview_rule, preview_threshold
from core import clock
from core.changes import selectors as changes
from core.changes.models import ChangeRequest, Control
from core.changes.port import ForApproval, open_desk
from core.changes.registry import Hooks, Values, govern, preview_policy
from core.changes.services import apply_change, close_change, save_values
from core.errors import Forbidden, Invalid
from core.identity.models import User

SUBJECT = "core.change"
RULE_FIELDS = (
    "action", "amount_above_usd", "currency", "rail", "entity", "step", "required_count", "role",
)  # fmt: skip
VERSION = 1


class Desk:
    """Puts changes before the same checkers, rules and guards as payments."""

    def submit(self, asked: ForApproval) -> None:
        """Submit a change; refuse it when nobody could approve it."""
        change = asked.change
        services.submit(
            submission=services.Submission(
                action=change.action,
                subject_type=SUBJECT,
                subject_id=change.pk,
                subject_version=VERSION,
                title=change.title,
                content=asked.content,
                maker=change.maker,
                maker_label=change.maker_label,
                amount=None,
                involved=asked.parties,
            )
        )

    def withdraw(self, change: ChangeRequest, actor: User, reason: str) -> None:
        """Withdraw the change's request, which closes the change."""
        found = selectors.request_of(subject_type=SUBJECT, subject_id=change.pk)
        if found is None:
            raise Forbidden("This change was never submitted.", change=str(change.pk))
        services.withdraw(request_id=found.pk, actor=actor, reason=reason)

    def url(self, change: ChangeRequest) -> str:
        """Return the page of the change's request, or nothing."""
        found = selectors.request_of(subject_type=SUBJECT, subject_id=change.pk)
        try:
            return reverse("approvals:one", args=[found.pk]) if found else ""
        except NoReverseMatch:  # served without the desk
            return ""


def _approved(outcome: registry.SubjectOutcome) -> None:
    apply_change(change_id=outcome.subject_id)


def _rejected(outcome: registry.SubjectOutcome) -> None:
    close_change(change_id=outcome.subject_id, is_rejected=True, reason=outcome.reason)


def _cancelled(outcome: registry.SubjectOutcome) -> None:
    close_change(change_id=outcome.subject_id, is_rejected=False, reason=outcome.reason)


def _describe(subject_id: UUID) -> registry.SubjectDescription:
    change = changes.changes().get(pk=subject_id)
    preview = changes.preview_of(change) if change.is_waiting else None
    facts = (("Why", change.reason), *changes.facts(change))
    if preview is not None:
        facts += (("Replayed over the past", preview.summary),)
        facts += tuple((f"· {name}", f"{old} → {new}") for name, old, new in preview.lines)
    return registry.SubjectDescription(title=change.title, facts=facts)


def write_rule(row: models.Model | None, values: Values) -> models.Model:
    """Add a rule; there is no way to change one.

    Raises:
        Invalid: a value cannot be right.
    """
    if row is not None:
        raise Invalid("Rules are added, never changed.", field="row")
    return save_values(
        row=ApprovalRule(created_at=clock.now(), created_by=changes.acting()), values=values
    )


def govern_rules() -> None:
    """Name what this room governs."""
    govern(
        ApprovalRule,
        fields=RULE_FIELDS,
        action=Control.CONTROL,
        label="approval rule",
        hooks=Hooks(write=write_rule, preview=preview_rule),
    )
    preview_policy(DUAL_CHECKER_THRESHOLD_USD.key, preview_threshold)


def fill_port() -> None:
    """Offer approvals to the ground floor."""
    open_desk(Desk())
    registry.register(
        SUBJECT,
        registry.SubjectHooks(
            on_approved=_approved,
            on_rejected=_rejected,
            on_expired=_cancelled,
            on_cancelled=_cancelled,
            describe=_describe,
        ),
    )
