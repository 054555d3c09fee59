"""What accepted differences of receipts brought or cost, booked as results of their own."""

from datetime import datetime

from fx.models import PnlEntry, PnlKind, ReceiptDifference
from fx.selectors import differences as reads


def book_difference(made: ReceiptDifference, *, at: datetime) -> PnlEntry:
    """Book an accepted difference as realised on the day it is accepted, at that day's dollars.

    It stands beside the deal's own result: reversals and later values of the deal leave it alone.
    """
    return PnlEntry.objects.create(
        deal_id=reads.deal_to_book(made),
        kind=PnlKind.DIFFERENCE,
        number=0,
        day=at.date(),
        amount_usd=made.amount_usd,
        usd_rate=made.usd_rate,
        difference=made,
        booked_at=at,
    )


def take_back(made: ReceiptDifference, *, at: datetime) -> PnlEntry | None:
    """Book the opposite of what a difference was booked with; None where nothing was.

    Differences that were taken back before there were such bookings never had any.
    """
    booked = PnlEntry.objects.filter(difference=made, kind=PnlKind.DIFFERENCE).first()
    if booked is None:
        return None
    return PnlEntry.objects.create(
        deal_id=booked.deal_id,
        kind=PnlKind.TAKEN_BACK,
        number=0,
        day=max(booked.day, at.date()),
        amount_usd=-booked.amount_usd,
        difference=made,
        earlier=booked,
        booked_at=at,
    )
