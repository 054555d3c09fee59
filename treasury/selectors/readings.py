"""The newest word about the risk of an account's flows, while it is fresh."""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from treasury.models import BankAccount, RiskReading


def readings() -> QuerySet[RiskReading]:
    """Return all readings with their accounts, the newest first."""
    return RiskReading.objects.select_related("account")


def latest_reading(account: BankAccount, now: datetime, max_age: timedelta) -> RiskReading | None:
    """Return the newest reading of an account, or None where there is none or it is too old.

    What was measured after `now` does not count, so that a past moment can be asked about. An age
    of exactly `max_age` is still fresh.
    """
    newest = RiskReading.objects.filter(account=account, observed_at__lte=now).first()
    if newest is None or now - newest.observed_at > max_age:
        return None
    return newest
