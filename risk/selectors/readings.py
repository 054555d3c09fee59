"""What was measured, for screens, the API and the next measurement."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from risk.errors import ReadingUnknown
from risk.models import AccountRisk, RiskRun

# A forecast made on a closed day is held against nothing; look further back for one that can be.
EARLIER_DAYS: Final = timedelta(days=30)


def readings() -> QuerySet[AccountRisk]:
    """Return all readings with accounts and backtests, newest first."""
    return AccountRisk.objects.select_related("account__bank", "backtest").order_by("-id")


def reading(reading_id: UUID | str) -> AccountRisk:
    """Return one reading.

    Raises:
        ReadingUnknown: there is none.
    """
    found = readings().filter(pk=reading_id).first()
    if found is None:
        raise ReadingUnknown("There is no such reading of risk.", id=str(reading_id))
    return found


def newest() -> QuerySet[AccountRisk]:
    """Return the newest reading of every active account, by currency and label.

    The newest is the one for the latest day, also when an earlier day was measured after it.
    """
    last = AccountRisk.objects.filter(account__is_active=True)
    last = last.order_by("account_id", "-day", "-id").distinct("account_id")
    return readings().filter(pk__in=last.values("pk")).order_by("currency", "account__label")


def newest_of(account_id: UUID) -> AccountRisk | None:
    """Return an account's newest reading, if there is one."""
    return readings().filter(account_id=account_id).order_by("-day", "-id").first()


def newest_by_account(accounts: Sequence[UUID], *, until: date) -> dict[UUID, AccountRisk]:
    """Return each account's newest reading for a day up to `until`, in one query."""
    rows = AccountRisk.objects.filter(account__in=accounts, day__lte=until)
    found = rows.select_related("account").order_by("account_id", "-day", "-id")
    found = found.distinct("account_id")
    return {row.account_id: row for row in found}


def forecasts_before(accounts: Sequence[UUID], day: date) -> dict[UUID, list[AccountRisk]]:
    """Return each account's forecasts of the last weeks before `day`, the newest day first.

    Of several readings for one day the first one counts: it is what was known when it began.
    """
    rows = AccountRisk.objects.filter(
        account__in=accounts,
        var_amount__isnull=False,
        day__lt=day,
        day__gte=day - EARLIER_DAYS,
    )
    found: dict[UUID, list[AccountRisk]] = defaultdict(list)
    for row in rows.order_by("account_id", "-day", "id").distinct("account_id", "day"):
        found[row.account_id].append(row)
    return found


def last_run() -> RiskRun | None:
    """Return the last pass over all accounts, if there was one."""
    return RiskRun.objects.order_by("-id").first()
