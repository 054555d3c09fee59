"""Sweeps beyond their mandate, as the approvals room decides them."""

from uuid import UUID

from approvals import registry as approvals
from treasury.constants import SWEEP_SUBJECT
from treasury.selectors import sweeps as reads
from treasury.services import sweeps


def _approved(outcome: approvals.SubjectOutcome) -> None:
    sweeps.release_order(order_pk=outcome.subject_id)


def _not_approved(outcome: approvals.SubjectOutcome) -> None:
    sweeps.fail_unreleased(order_pk=outcome.subject_id, reason=outcome.reason)


def _describe(subject_id: UUID) -> approvals.SubjectDescription:
    found = reads.orders().get(pk=subject_id)
    return approvals.SubjectDescription(
        title=f"Sweep {found.order_id}",
        url=f"/sweeps/decisions/{found.decision_id}",
        facts=(
            ("Amount", f"{found.amount:,.2f} USD"),
            ("From", found.account.label),
            ("Into", found.product.name),
            ("Leaves on", found.settles_on.isoformat()),
            ("Back on", f"{found.matures_on.isoformat()}: {found.comes_back:,.2f} USD"),
            ("Why it is asked", "It goes beyond the account's mandate."),
        ),
    )


approvals.register(
    SWEEP_SUBJECT,
    approvals.SubjectHooks(
        on_approved=_approved,
        on_rejected=_not_approved,
        on_expired=_not_approved,
        on_cancelled=_not_approved,
        describe=_describe,
    ),
)
