"""What the calendars room puts under four eyes, and how values become its rows."""

from django.db import models

from calendars import services
from calendars.engine.days import HolidayKind, HolidayStatus
from calendars.models import BankCutoff, Calendar, Holiday, Rail, RailWindow, WeekendRule
from core.changes.registry import Hooks, Values, govern
from core.changes.selectors import acting
from core.changes.services import save_values
from core.errors import Invalid
from core.identity.models import User

GOVERNED = (Calendar, WeekendRule, Holiday, Rail, RailWindow, BankCutoff)
GUARDS = frozenset(f"{model._meta.db_table}.governed" for model in GOVERNED)


def _acting() -> User:
    found = acting()
    if found is None:
        raise Invalid("A holiday is confirmed or cancelled by a person.", field="status")
    return found


def write_holiday(row: models.Model | None, values: Values) -> models.Model:
    """Enter a holiday, confirm or cancel one, or correct its name.

    Raises:
        Invalid: a value cannot be right.
        HolidayStateRefused, SameHandRefused: the service's own refusals.
    """
    if not isinstance(row, Holiday):
        made = Holiday(kind=HolidayKind.ADHOC, source="entered by hand")
        return save_values(row=made, values=values)
    facts = dict(values)
    status, reason = facts.pop("status", None), str(facts.pop("decision_reason", ""))
    calendar, day = row.calendar.code, row.date
    if status == HolidayStatus.CONFIRMED:
        row = services.confirm_holiday(calendar=calendar, day=day, actor=_acting())
    elif status == HolidayStatus.CANCELLED:
        row = services.cancel_holiday(calendar=calendar, day=day, actor=_acting(), reason=reason)
    elif status is not None:
        raise Invalid("A holiday is CONFIRMED or CANCELLED.", field="status")
    return save_values(row=row, values=facts) if facts else row


def announce_holiday(row: models.Model) -> None:
    """Announce a holiday in force."""
    if isinstance(row, Holiday):
        services.announce_holiday(holiday=row)


def govern_calendars() -> None:
    """Name what this room governs."""
    period = ("effective_from", "effective_to")
    govern(
        Calendar,
        fields=(
            "code",
            "name",
            "tz",
            "currency",
            "is_settlement",
            "coverage_start",
            "coverage_end",
        ),
        known_by="code",
    )
    govern(
        WeekendRule,
        fields=("calendar", "closed_weekdays", "alternate_weekday", "alternate_ordinals", *period),
    )
    govern(
        Holiday,
        fields=(
            "calendar", "date", "name", "kind", "status", "source", "half_day_close_local",
            "decision_reason",
        ),
        hooks=Hooks(write=write_holiday, applied=announce_holiday),
    )  # fmt: skip
    govern(
        Rail,
        fields=(
            "code", "currency", "name", "tz", "calendar", "settlement_days", "sla_minutes",
            "sla_policy",
        ),
        known_by="code",
    )  # fmt: skip
    govern(
        RailWindow,
        fields=("rail", "kind", "local_time", "day_offset", "weekday_mask", *period),
        label="rail window",
    )
    govern(
        BankCutoff,
        fields=("rail", "bank", "kind", "local_time", "tz", "weekday_mask", *period),
        label="bank cut-off",
    )
