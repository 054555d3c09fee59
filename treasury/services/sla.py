"""Confirmations that are overdue: said once, never resolved by the system itself."""

from datetime import datetime

from django.db import transaction

from treasury.models import ProposalState, Transfer
from treasury.services.news import raise_alert


@transaction.atomic
def mark_breaches(*, now: datetime) -> list[Transfer]:
    """Mark transfers whose confirmation is overdue. They stay SENT; a person looks into it."""
    overdue = list(
        Transfer.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("proposal")
        .filter(
            proposal__state=ProposalState.SENT, sla_due_at__lte=now, sla_breached_at__isnull=True
        )
    )
    for held in overdue:
        held.sla_breached_at = now
        held.save(update_fields=["sla_breached_at"])
        raise_alert(
            kind="sla_breached",
            severity="high",
            subject_type="transfer",
            subject_id=held.pk,
            title=f"{held.end_to_end_id}: no confirmation on {held.proposal.rail}",
            detail="It stays sent. Ask the bank for a tracer before anything else is done.",
        )
    return overdue
