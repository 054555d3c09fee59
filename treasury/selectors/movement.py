"""Reads of proposals, transfers and prefunding."""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import QuerySet

from approvals import selectors as approvals
from calendars import selectors as calendars
from core import policies
from core.errors import NotFound
from treasury.constants import PROPOSAL_SUBJECT as SUBJECT
from treasury.engine.rails import BOOK
from treasury.models import BankAccount, PrefundingRequest, Proposal, Transfer
from treasury.policies import INTERNAL_LEAD_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The earliest value date that can still be reached, and the last instant to send for it."""

    value_date: date
    cutoff_at: datetime
    rolled: bool


_OF_PROPOSAL: Final = (
    "debit_account__bank",
    "credit_account__bank",
    "credit_account__changed_by",
    "beneficiary__changed_by",
    "maker",
    "transfer",
)
_OF_TRANSFER: Final = (
    "proposal__debit_account__bank",
    "proposal__credit_account__bank",
    "proposal__beneficiary",
)


def proposals() -> QuerySet[Proposal]:
    """Return all proposals with what their pages show."""
    return Proposal.objects.select_related(*_OF_PROPOSAL)


def listed_proposals() -> QuerySet[Proposal]:
    """Return all proposals for a list that shows some of many.

    What belongs to them is fetched for those alone: a join would be made for all of them first.
    """
    return Proposal.objects.prefetch_related(*_OF_PROPOSAL)


def proposal(proposal_id: UUID) -> Proposal:
    """Return one proposal.

    Raises:
        NotFound: no such proposal.
    """
    found = proposals().filter(pk=proposal_id).first()
    if found is None:
        raise NotFound("There is no such proposal.", field="proposal")
    return found


def transfers() -> QuerySet[Transfer]:
    """Return all transfers with what their pages show."""
    return Transfer.objects.select_related(*_OF_TRANSFER)


def listed_transfers() -> QuerySet[Transfer]:
    """Return all transfers for a list that shows some of many."""
    return Transfer.objects.prefetch_related(*_OF_TRANSFER)


def transfer(transfer_id: UUID) -> Transfer:
    """Return one transfer.

    Raises:
        NotFound: no such transfer.
    """
    found = transfers().filter(pk=transfer_id).first()
    if found is None:
        raise NotFound("There is no such transfer.", field="transfer")
    return found


def prefunding_requests() -> QuerySet[PrefundingRequest]:
    """Return prefunding requests with their proposals and suppressed successors."""
    return PrefundingRequest.objects.select_related("account", "proposal").prefetch_related(
        "suppressed"
    )


def decisions_count(found: Proposal) -> int:
    """Return how many decisions its present version holds."""
    request = approvals.request_of(
        subject_type=SUBJECT, subject_id=found.pk, subject_version=found.version
    )
    return len(request.decisions.all()) if request else 0


def content_of(proposal_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_proposal_content(p)::text FROM treasury_proposal p WHERE p.id = %s",
            [proposal_id],
        )
        row = cursor.fetchone()
    content: dict[str, Any] = json.loads(row[0])
    return content


def window_for(*, rail: str, account: BankAccount, now: datetime) -> Window:
    """Return where a transfer sent now from `account` would land, and until when it can be sent.

    A transfer in the bank's own books, and a rail that never closes, have the end of the local
    day as their cut-off.
    """
    zone = ZoneInfo(account.timezone)
    today = now.astimezone(zone).date()
    if rail == BOOK:
        return Window(value_date=today, cutoff_at=_end_of(today, zone), rolled=False)
    lead = timedelta(minutes=policies.get(INTERNAL_LEAD_MINUTES))
    bank, currency = account.bank.bic, account.currency
    value_date = calendars.value_date_for(
        rail=rail, now=now, bank=bank, currency=currency, lead=lead
    )
    cutoff = calendars.cutoff_for(
        rail=rail, day=value_date, bank=bank, currency=currency, lead=lead
    )
    return Window(
        value_date=value_date,
        cutoff_at=cutoff or _end_of(value_date, zone),
        rolled=value_date > today,
    )


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(0), zone)
