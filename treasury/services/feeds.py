"""Tell people when a bank's statement is later than that bank usually is: once per day of it."""

from datetime import datetime

from django.db import transaction

from treasury.models import LateFeed
from treasury.selectors import accounts, proofs
from treasury.services.news import raise_alert


@transaction.atomic
def tell_late_feeds(*, now: datetime) -> int:
    """Alert about every statement that became late since the last look. Return how many."""
    told = 0
    for feed in proofs.feeds(list(accounts.accounts()), now=now):
        if feed.late_for is None or feed.late_since is None:
            continue
        _, is_new = LateFeed.objects.get_or_create(
            account=feed.account,
            for_day=feed.late_for,
            defaults={"late_since": feed.late_since, "told_at": now},
        )
        if is_new:
            told += 1
            raise_alert(
                kind="statement_late",
                severity="medium",
                subject_type="account",
                subject_id=feed.account.pk,
                title=f"{feed.account.label}: the statement of {feed.late_for} is late",
                detail=f"This bank has usually sent it by {feed.late_since:%Y-%m-%d %H:%M %Z}.",
            )
    return told
