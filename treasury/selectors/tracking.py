"""Where a payment is: its legs as the banks on the way reported them, and what they took."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from core.errors import NotFound
from treasury.engine.statuses import meaning_of, reason_in_words
from treasury.models import Transfer, TransferStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One report in words; `late` when it came after a stronger one and changed nothing."""

    at: datetime
    status: str
    words: str
    reason: str
    reason_words: str
    held_by: str
    charge: Decimal | None
    charge_currency: str
    source: str
    message_id: UUID | None
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A payment's way: its legs in the banks' own time, who has it, the charges by currency."""

    transfer: Transfer
    legs: tuple[Leg, ...]
    held_by: str
    charges: tuple[tuple[str, Decimal], ...]
    short_by: Decimal


def track_of(transfer: Transfer) -> Track:
    """Return the way of a payment as far as banks told it."""
    legs = sorted(
        (_leg(row) for row in transfer.statuses.all()), key=lambda leg: (leg.at, leg.status)
    )
    charges: dict[str, Decimal] = defaultdict(Decimal)
    for leg in legs:
        if leg.charge:
            charges[leg.charge_currency] += leg.charge
    holders = [leg.held_by for leg in legs if leg.held_by]
    arrived = transfer.credit_entry or transfer.return_entry
    return Track(
        transfer=transfer,
        legs=tuple(legs),
        held_by=holders[-1] if holders else "",
        charges=tuple(sorted(charges.items())),
        short_by=transfer.proposal.amount - arrived.amount if arrived else Decimal(0),
    )


def track_by_uetr(payment: UUID) -> Track:
    """Return the way of the payment with this UETR.

    Raises:
        NotFound: none of ours has it.
    """
    found = (
        Transfer.objects.select_related("proposal", "credit_entry", "return_entry")
        .prefetch_related("statuses")
        .filter(uetr=str(payment))
        .first()
    )
    if found is None:
        raise NotFound("No payment of ours has this UETR.", field="uetr")
    return track_of(found)


def _leg(row: TransferStatus) -> Leg:
    return Leg(
        at=row.said_at or row.heard_at,
        status=row.status,
        words=meaning_of(row.status).words,
        reason=row.reason_code,
        reason_words=reason_in_words(row.reason_code),
        held_by=row.held_by,
        charge=row.charge,
        charge_currency=row.charge_currency,
        source=row.source,
        message_id=row.message_id,
        late=not row.changed_state,
    )
