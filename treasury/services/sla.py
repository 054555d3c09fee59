"""Confirmations that are overdue and outcomes that stay unknown: a person is told, once."""

from datetime import datetime, timedelta

from django.db import transaction

from core import policies
from treasury.models import ProposalState, Transfer
from treasury.policies import UNKNOWN_TASK_MINUTES
from treasury.services import tasks
from treasury.services.outcomes import SLA, UNKNOWN


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
        tasks.open_task(
            task=tasks.TaskIn(
                kind=SLA,
                key=f"{held.end_to_end_id}-{held.attempt}",
                title=f"{held.end_to_end_id}: no confirmation on {held.proposal.rail}",
                detail="It stays sent. Ask the bank for a tracer before anything else is done.",
                transfer=held,
            )
        )
    return overdue


@transaction.atomic
def ask_about_unknown(*, now: datetime) -> list[Transfer]:
    """Hand payments whose outcome stays unknown to a person; they are never sent again.

    The bank is asked all the while where its line can be asked; its answer closes the task.
    """
    minutes = policies.get(UNKNOWN_TASK_MINUTES)
    waiting = list(
        Transfer.objects.select_related("proposal").filter(
            proposal__state=ProposalState.EXECUTING,
            outcome_unknown_since__lte=now - timedelta(minutes=minutes),
        )
    )
    for held in waiting:
        tasks.open_task(
            task=tasks.TaskIn(
                kind=UNKNOWN,
                key=f"{held.end_to_end_id}-{held.attempt}",
                title=f"{held.end_to_end_id}: nobody knows whether the bank has it",
                detail=(
                    f"Unknown for more than {minutes} minutes. Ask the bank by telephone or"
                    f" tracer; its reference there is {held.end_to_end_id}. It is not sent again."
                ),
                transfer=held,
            )
        )
    return waiting
