"""Warn before each rail's cut-off, exactly once, also when the worker woke late."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.db import IntegrityError, transaction

from calendars.constants import CUTOFF_WARNING_MINUTES
from calendars.engine.days import CalendarData
from calendars.engine.rails import ClosingWindow, RailData, closing_window
from calendars.errors import CalendarCoverageError
from calendars.events import WindowClosing
from calendars.models import Rail, WindowAlert
from calendars.registry import PendingQuestion, PendingTotals, pending_totals
from calendars.selectors import all_rails, calendars_around
from core.events import publish

WARNING = timedelta(minutes=CUTOFF_WARNING_MINUTES)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Warning:
    rail: Rail
    window: ClosingWindow
    revision: int


def raise_window_alerts(*, now: datetime) -> list[WindowAlert]:
    """Raise what is due at `now` and publish `ops.window.closing` for each new alert.

    A rail whose calendar has no data is logged and skipped: it must not silence the others.
    """
    calendars = calendars_around(now.date())
    due = [
        warning
        for rail, record in all_rails()
        if (warning := _due(rail, record, calendars, now)) is not None
    ]
    raised = (_raise(warning, now) for warning in due)
    return [alert for alert in raised if alert is not None]


def _due(
    rail: Rail, record: RailData, calendars: dict[str, CalendarData], now: datetime
) -> _Warning | None:
    calendar = calendars.get(record.calendar or "")
    try:
        window = closing_window(record, calendar, now, within=WARNING)
    except CalendarCoverageError as error:
        log.warning("window_alert.calendar_not_covered", rail=record.code, facts=error.context)
        return None
    if window is None:
        return None
    last = (
        WindowAlert.objects.filter(rail=rail, business_date=window.business_date, kind=window.kind)
        .order_by("-revision")
        .first()
    )
    if last is not None and last.cutoff_at == window.cutoff_at:
        return None
    # The cut-off was moved after the last warning: the next revision speaks for the new one.
    return _Warning(rail=rail, window=window, revision=last.revision + 1 if last else 1)


def _raise(warning: _Warning, now: datetime) -> WindowAlert | None:
    rail, window = warning.rail, warning.window
    pending = pending_totals(
        PendingQuestion(rail=rail.code, currency=rail.currency, business_date=window.business_date)
    )
    try:
        with transaction.atomic():
            alert = WindowAlert.objects.create(
                rail=rail,
                business_date=window.business_date,
                kind=window.kind,
                revision=warning.revision,
                cutoff_at=window.cutoff_at,
                raised_at=now,
                minutes_left=window.minutes_left,
                pending_count=pending.count,
                pending_usd=pending.usd_total,
            )
    except IntegrityError as error:
        if "window_alert_once" not in str(error):
            raise
        return None  # another worker was faster; its alert is the one
    _publish(alert, rail, pending)
    return alert


def _publish(alert: WindowAlert, rail: Rail, pending: PendingTotals) -> None:
    publish(
        WindowClosing(
            rail=rail.code,
            currency=rail.currency,
            kind=alert.kind,
            business_date=alert.business_date,
            cutoff_utc=alert.cutoff_at,
            cutoff_local=alert.cutoff_at.astimezone(ZoneInfo(rail.tz)).isoformat(),
            minutes_left=alert.minutes_left,
            pending_count=pending.count,
            pending_usd=pending.usd_total,
            revision=alert.revision,
            priority="high" if pending.count else "low",
        )
    )
