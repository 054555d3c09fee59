"""Calendars and rails as a tenant keeps them: what may exist, and what the database refuses."""

from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.contrib.postgres.fields.ranges import IntegerRangeField
from django.db import models
from django.db.models import F, Func, Q
from simple_history.models import HistoricalRecords

from calendars.engine.days import HolidayKind, HolidayStatus
from calendars.engine.rails import SlaPolicy, WindowKind
from core.money_columns import not_negative
from core.tenancy import TenantModel

WEEKDAY_MASK_MAX = 0b1111111
ORDINAL_MASK_MAX = 0b11111


def _choices(kinds: type[StrEnum]) -> list[tuple[str, str]]:
    return [(kind.value, kind.value.replace("_", " ").capitalize()) for kind in kinds]


def _values(kinds: type[StrEnum]) -> list[str]:
    return [kind.value for kind in kinds]


def _in_force() -> tuple[Any, str]:
    """Return a row's validity for an exclusion constraint; open-ended when null."""
    period = Func(
        F("effective_from"),
        F("effective_to"),
        function="daterange",
        output_field=DateRangeField(),
    )
    return period, RangeOperators.OVERLAPS


def _weekdays() -> tuple[Any, str]:
    """Return the weekdays of a mask as ranges, so that masks sharing a day collide."""
    days = Func(F("weekday_mask"), function="calendars_weekdays", output_field=IntegerRangeField())
    return days, RangeOperators.OVERLAPS


def _period_is_ordered(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=name,
        condition=Q(effective_to__isnull=True) | Q(effective_to__gt=F("effective_from")),
    )


def _mask_is_valid(name: str, column: str = "weekday_mask") -> models.CheckConstraint:
    return models.CheckConstraint(
        name=name, condition=Q(**{f"{column}__gte": 0, f"{column}__lte": WEEKDAY_MASK_MAX})
    )


class Calendar(TenantModel):
    """One centre's calendar and the span of dates of which it really knows something."""

    code = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    tz = models.CharField(max_length=40, help_text="IANA zone of the centre.")
    currency = models.CharField(max_length=3)
    is_settlement = models.BooleanField(
        help_text="Whether this calendar decides when its currency settles."
    )
    coverage_start = models.DateField()
    coverage_end = models.DateField()
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="calendar_code_once"),
            models.UniqueConstraint(
                fields=["tenant", "currency"],
                condition=Q(is_settlement=True),
                name="calendar_one_settlement_per_currency",
            ),
            models.CheckConstraint(
                name="calendar_coverage_ordered",
                condition=Q(coverage_start__lte=F("coverage_end")),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class WeekendRule(TenantModel):
    """Weekly closed days of a calendar between two dates; `effective_to` is exclusive."""

    calendar = models.ForeignKey(Calendar, models.PROTECT, related_name="weekend_rules")
    closed_weekdays = models.PositiveSmallIntegerField(help_text="Bit mask, bit 0 is Monday.")
    alternate_weekday = models.PositiveSmallIntegerField(null=True, blank=True)
    alternate_ordinals = models.PositiveSmallIntegerField(
        default=0, help_text="Bit mask of the occurrences in the month, bit 0 is the first."
    )
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["calendar", "effective_from"]
        constraints = [
            _period_is_ordered("weekend_rule_period_ordered"),
            _mask_is_valid("weekend_rule_mask_valid", "closed_weekdays"),
            models.CheckConstraint(
                name="weekend_rule_alternate_valid",
                condition=Q(alternate_ordinals__lte=ORDINAL_MASK_MAX)
                & (
                    Q(alternate_weekday__isnull=True, alternate_ordinals=0)
                    | Q(alternate_weekday__lte=6, alternate_ordinals__gt=0)
                ),
            ),
            ExclusionConstraint(
                name="weekend_rule_no_overlap",
                expressions=[
                    ("tenant", RangeOperators.EQUAL),
                    ("calendar", RangeOperators.EQUAL),
                    _in_force(),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.calendar} from {self.effective_from}"


class HolidayQuerySet(models.QuerySet["Holiday"]):
    """Holidays in the words of the room."""

    def of(self, calendar: str) -> Self:
        """Keep one calendar's rows."""
        return self.filter(calendar__code=calendar)

    def between(self, start: date, end: date) -> Self:
        """Keep days from `start` to `end`, both included."""
        return self.filter(date__gte=start, date__lte=end)

    def closing(self) -> Self:
        """Keep rows that close their whole day."""
        return self.exclude(status=HolidayStatus.CANCELLED.value).filter(
            half_day_close_local__isnull=True
        )


class Holiday(TenantModel):
    """One named day of a calendar. Rows are confirmed or cancelled, never deleted."""

    calendar = models.ForeignKey(Calendar, models.PROTECT, related_name="holidays")
    date = models.DateField()
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=_choices(HolidayKind))
    status = models.CharField(
        max_length=12, choices=_choices(HolidayStatus), default=HolidayStatus.PROVISIONAL.value
    )
    source = models.CharField(max_length=200)
    half_day_close_local = models.TimeField(null=True, blank=True)
    declared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    history = HistoricalRecords()

    objects: ClassVar[models.Manager["Holiday"]] = HolidayQuerySet.as_manager()

    class Meta:
        ordering = ["date", "calendar"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "calendar", "date"], name="holiday_day_once"),
            models.CheckConstraint(
                name="holiday_kind_known", condition=Q(kind__in=_values(HolidayKind))
            ),
            models.CheckConstraint(
                name="holiday_decided_by_somebody",
                condition=Q(status=HolidayStatus.PROVISIONAL.value, decided_by__isnull=True)
                | Q(
                    status__in=[HolidayStatus.CONFIRMED.value, HolidayStatus.CANCELLED.value],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="holiday_declarer_does_not_decide",
                condition=Q(declared_by__isnull=True)
                | Q(decided_by__isnull=True)
                | ~Q(declared_by=F("decided_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.calendar} {self.date} {self.name}"

    @property
    def closes(self) -> bool:
        """Tell whether the row closes its whole day."""
        cancelled = self.status == HolidayStatus.CANCELLED
        return not cancelled and self.half_day_close_local is None


class Rail(TenantModel):
    """A payment rail in one currency."""

    code = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    name = models.CharField(max_length=120)
    tz = models.CharField(max_length=40, help_text="IANA zone of the rail's wall times.")
    calendar = models.ForeignKey(
        Calendar,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="rails",
        help_text="Operating calendar; empty for a rail that runs every day.",
    )
    settlement_days = models.PositiveSmallIntegerField(default=0)
    sla_minutes = models.PositiveIntegerField(null=True, blank=True)
    sla_policy = models.CharField(max_length=12, choices=_choices(SlaPolicy))
    history = HistoricalRecords()

    class Meta:
        ordering = ["code", "currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "code", "currency"], name="rail_once_per_currency"
            ),
            models.CheckConstraint(
                name="rail_elapsed_sla_has_minutes",
                condition=Q(sla_policy=SlaPolicy.DESK_CLOSE.value)
                | Q(sla_policy=SlaPolicy.ELAPSED.value, sla_minutes__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.currency}"


class RailWindow(TenantModel):
    """A local time of the rail's day with its validity; `effective_to` is exclusive."""

    rail = models.ForeignKey(Rail, models.PROTECT, related_name="windows")
    kind = models.CharField(max_length=12, choices=_choices(WindowKind))
    local_time = models.TimeField()
    day_offset = models.SmallIntegerField(
        default=0, help_text="-1 places the time on the day before the business date."
    )
    weekday_mask = models.PositiveSmallIntegerField(help_text="Bit mask, bit 0 is Monday.")
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["rail", "kind", "effective_from"]
        constraints = [
            _period_is_ordered("rail_window_period_ordered"),
            _mask_is_valid("rail_window_mask_valid"),
            models.CheckConstraint(
                name="rail_window_kind_known", condition=Q(kind__in=_values(WindowKind))
            ),
            models.CheckConstraint(
                name="rail_window_only_opens_the_day_before",
                condition=Q(day_offset=0) | Q(day_offset=-1, kind=WindowKind.OPEN.value),
            ),
            ExclusionConstraint(
                name="rail_window_no_overlap",
                expressions=[
                    ("tenant", RangeOperators.EQUAL),
                    ("rail", RangeOperators.EQUAL),
                    ("kind", RangeOperators.EQUAL),
                    _in_force(),
                    _weekdays(),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rail} {self.kind} {self.local_time:%H:%M}"


class RailWindowOverride(TenantModel):
    """An exception for one business date; in force once a second person approved it.

    Without a time the rail stays closed that day. The highest approved revision counts.
    """

    rail = models.ForeignKey(Rail, models.PROTECT, related_name="overrides")
    business_date = models.DateField()
    kind = models.CharField(max_length=12, choices=_choices(WindowKind))
    revision = models.PositiveSmallIntegerField()
    local_time = models.TimeField(null=True, blank=True)
    reason = models.CharField(max_length=300)
    source_url = models.CharField(max_length=500, blank=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False
    )
    entered_at = models.DateTimeField(editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
    )
    approved_at = models.DateTimeField(null=True, blank=True, editable=False)
    history = HistoricalRecords()

    class Meta:
        ordering = ["-business_date", "rail", "kind", "-revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "rail", "business_date", "kind", "revision"],
                name="window_override_revision_once",
            ),
            models.CheckConstraint(name="window_override_has_a_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="window_override_four_eyes",
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | (
                    Q(approved_by__isnull=False, approved_at__isnull=False)
                    & ~Q(approved_by=F("entered_by"))
                ),
            ),
        ]

    def __str__(self) -> str:
        when = f"{self.local_time:%H:%M}" if self.local_time else "closed"
        return f"{self.rail} {self.business_date} {self.kind}: {when}"


class BankCutoff(TenantModel):
    """A bank's own cut-off for a rail, in the bank's zone; `effective_to` is exclusive."""

    rail = models.ForeignKey(Rail, models.PROTECT, related_name="bank_cutoffs")
    bank = models.CharField(max_length=11, help_text="BIC of the bank.")
    kind = models.CharField(
        max_length=12, choices=_choices(WindowKind), default=WindowKind.CUSTOMER.value
    )
    local_time = models.TimeField()
    tz = models.CharField(max_length=40, help_text="IANA zone in which the bank counts.")
    weekday_mask = models.PositiveSmallIntegerField(
        default=WEEKDAY_MASK_MAX, help_text="Bit mask, bit 0 is Monday."
    )
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["bank", "rail", "effective_from"]
        constraints = [
            _period_is_ordered("bank_cutoff_period_ordered"),
            _mask_is_valid("bank_cutoff_mask_valid"),
            models.CheckConstraint(
                name="bank_cutoff_is_a_cutoff",
                condition=Q(kind__in=[WindowKind.CUSTOMER.value, WindowKind.INTERBANK.value]),
            ),
            ExclusionConstraint(
                name="bank_cutoff_no_overlap",
                expressions=[
                    ("tenant", RangeOperators.EQUAL),
                    ("rail", RangeOperators.EQUAL),
                    ("bank", RangeOperators.EQUAL),
                    ("kind", RangeOperators.EQUAL),
                    _in_force(),
                    _weekdays(),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bank} {self.rail} {self.local_time:%H:%M}"


class WindowAlert(TenantModel):
    """One warning that a cut-off approaches. The unique key is what makes it exactly one."""

    rail = models.ForeignKey(Rail, models.PROTECT, related_name="alerts")
    business_date = models.DateField()
    kind = models.CharField(max_length=12, choices=_choices(WindowKind))
    revision = models.PositiveSmallIntegerField()
    cutoff_at = models.DateTimeField()
    raised_at = models.DateTimeField()
    minutes_left = models.PositiveSmallIntegerField()
    pending_count = models.PositiveIntegerField()
    pending_usd = models.DecimalField(max_digits=20, decimal_places=4)

    class Meta:
        ordering = ["-cutoff_at", "rail", "-revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "rail", "business_date", "kind", "revision"],
                name="window_alert_once",
            ),
            models.CheckConstraint(
                name="window_alert_before_cutoff", condition=Q(raised_at__lt=F("cutoff_at"))
            ),
            not_negative("window_alert_pending_is_not_negative", "pending_usd"),
        ]

    def __str__(self) -> str:
        return f"{self.rail} {self.business_date} {self.kind} r{self.revision}"


class LookaheadRun(TenantModel):
    """One published holiday lookahead; a day is looked at once."""

    generated_for = models.DateField()
    published_at = models.DateTimeField()
    closures = models.PositiveSmallIntegerField()
    currencies_closed = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["-generated_for"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "generated_for"], name="lookahead_once_a_day")
        ]

    def __str__(self) -> str:
        return f"Lookahead for {self.generated_for}"
