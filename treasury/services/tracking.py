"""What the tracker of correspondent banks reports about a payment, by its UETR."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from core.errors import NotFound
from treasury.errors import TrackingConflict
from treasury.models import Transfer, TransferStatus
from treasury.services.answers import Said, record

SOURCE: Final = "tracker"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedIn:
    """One report: who says what about the payment, when, and what they took for it."""

    event_id: str
    status: str
    said_at: datetime
    reason: str = ""
    words: str = ""
    held_by: str = ""
    charge: Decimal | None = None
    charge_currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """The report as it is kept, and whether it is new."""

    row: TransferStatus
    is_new: bool


@transaction.atomic
def hear_tracker(*, payment: UUID, report: TrackedIn) -> Tracked:
    """Keep a tracker's report once per event id; the transfer moves as all answers together say.

    Raises:
        NotFound: no transfer of ours has this UETR.
        TrackingConflict: the event id was used for another report.
    """
    held = Transfer.objects.select_for_update().filter(uetr=str(payment)).first()
    if held is None:
        raise NotFound("No payment of ours has this UETR.", field="uetr")
    known = TransferStatus.objects.filter(event_id=report.event_id).first()
    if known is not None:
        facts = (known.transfer_id, known.status, known.reason_code, known.said_at, known.held_by)
        if facts != (held.pk, report.status, report.reason, report.said_at, report.held_by):
            raise TrackingConflict("This event_id was used for another report.")
        return Tracked(row=known, is_new=False)
    said = Said(
        status=report.status,
        source=SOURCE,
        reason=report.reason,
        words=report.words,
        said_at=report.said_at,
        held_by=report.held_by,
        charge=report.charge,
        charge_currency=report.charge_currency,
        event_id=report.event_id,
    )
    return Tracked(row=record(transfer=held, said=said), is_new=True)
