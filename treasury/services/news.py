"""Tell the other rooms, in one place for all movement services."""

from uuid import UUID

from core import clock
from core.events import publish, traced
from treasury.events import FundMovementStatus, RiskAlert
from treasury.models import Proposal, Transfer


def tell_status(
    *, proposal: Proposal, from_state: str, reason: str = "", held: Transfer | None = None
) -> None:
    """Publish that a proposal or its transfer changed state; `held` is that transfer, if known."""
    transfer = held or Transfer.objects.filter(proposal=proposal).first()
    with traced(transfer.trace_id if transfer else None):
        publish(
            FundMovementStatus(
                proposal_id=proposal.pk,
                reference=proposal.reference,
                from_state=from_state,
                to_state=proposal.state,
                reason=reason,
                rail=proposal.rail,
                bank_ref=transfer.bank_reference if transfer else "",
                uetr=transfer.uetr if transfer else "",
                at=clock.now(),
            )
        )


def raise_alert(
    *, kind: str, severity: str, subject_type: str, subject_id: UUID, title: str, detail: str
) -> None:
    """Publish something that a person must look at."""
    publish(
        RiskAlert(
            kind=kind,
            severity=severity,
            subject_type=subject_type,
            subject_id=subject_id,
            title=title,
            detail=detail,
            at=clock.now(),
        )
    )
