"""Alerts: what the rooms reported that a person should look at, from the event log itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from core.events.models import OutboxEvent
from tms.desk.navigation import address
from tms.templatetags.desk import grouped
from treasury.selectors import accounts

LISTED_MAX: Final = 100
PANEL_MAX: Final = 7
PANEL_AGE_MAX: Final = timedelta(days=2)
TOPICS: Final = (
    "risk.alert",
    "ops.window.closing",
    "ops.holiday.lookahead",
    "maker_checker.proposal.escalated",
    "maker_checker.proposal.expired",
    "maker_checker.break_glass.opened",
    "forecast.rda.shortfall",
    "integrations.message.set_aside",
    "integrations.line.changed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One event in words; `severity` is HIGH, MEDIUM or LOW."""

    id: UUID
    at: datetime
    severity: str
    title: str
    words: str
    url: str


def _risk(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    severity = str(facts.get("severity", "medium")).upper()
    pages = {"fx.rate": "fx:rates", "fx.deal": "fx:deals", "fx.exposure": "fx:exposure"}
    page = pages.get(str(facts.get("subject_type")), "treasury:transfers")
    return severity, str(facts.get("title", "")), str(facts.get("detail", "")), page


def _window(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    title = (
        f"{facts.get('rail')} {facts.get('currency')} closes in {facts.get('minutes_left')} minutes"
    )
    waiting = facts.get("pending_count") or 0
    words = f"{waiting} waiting for approval or sending." if waiting else "Nothing waits for it."
    return ("HIGH" if waiting else "LOW"), title, words, "calendars:rails"


def _holiday(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    words = f"Looked ahead from {facts.get('generated_for')}."
    return "LOW", "Closed days ahead", words, "calendars:rails"


def _escalated(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    given, needed = facts.get("approvals_count"), facts.get("required_count")
    words = f"Level {facts.get('level')}: {given} of {needed} approvals."
    return "HIGH", f"Still undecided: {facts.get('title')}", words, "approvals:inbox"


def _expired(_facts: dict[str, Any]) -> tuple[str, str, str, str]:
    return "MEDIUM", "A proposal expired undecided", "Its cut-off passed.", "treasury:proposals"


def _glass(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    title = f"Glass was broken for incident {facts.get('incident')}"
    return "HIGH", title, str(facts.get("title", "")), "approvals:inbox"


def _shortfall(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    currency = str(facts.get("currency", ""))
    missing = grouped(Decimal(str(facts["shortfall"])), currency)
    title = f"{facts.get('account_label', 'An account')} lacks {missing} {currency}"
    return "HIGH", title, f"Needed by {facts.get('date')}.", "liquidity:shortfalls"


def _set_aside(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    title = f"File kept aside: {facts.get('name')}"
    return "MEDIUM", title, str(facts.get("reason", "")), "integrations:connections"


def _line(facts: dict[str, Any]) -> tuple[str, str, str, str]:
    is_open = bool(facts.get("is_open"))
    state = "is interrupted" if is_open else "works again"
    title = f"Line {facts.get('connection')} {state}"
    severity = "HIGH" if is_open else "LOW"
    return severity, title, str(facts.get("reason", "")), "integrations:connections"


_WORDS: Final = {
    "risk.alert": _risk,
    "ops.window.closing": _window,
    "ops.holiday.lookahead": _holiday,
    "maker_checker.proposal.escalated": _escalated,
    "maker_checker.proposal.expired": _expired,
    "maker_checker.break_glass.opened": _glass,
    "forecast.rda.shortfall": _shortfall,
    "integrations.message.set_aside": _set_aside,
    "integrations.line.changed": _line,
}


def _alert(row: OutboxEvent, labels: dict[str, str]) -> Alert:
    facts = dict(row.payload)
    if (account := str(facts.get("account_id"))) in labels:
        facts["account_label"] = labels[account]
    severity, title, words, url_name = _WORDS[row.topic](facts)
    return Alert(
        id=row.pk,
        at=row.occurred_at,
        severity=severity,
        title=title,
        words=words,
        url=address(url_name) or "",
    )


def recent(*, limit: int, since: datetime | None = None) -> list[Alert]:
    """Return the newest alerts of the bound tenant."""
    rows = OutboxEvent.objects.filter(topic__in=TOPICS).order_by("-id")
    if since is not None:
        rows = rows.filter(occurred_at__gte=since)
    labels = {str(one.pk): one.label for one in accounts.accounts(active=False)}
    return [_alert(row, labels) for row in rows[:limit]]


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """List the alerts, newest first."""
    whole = request.headers.get("HX-Request") != "true"
    template = "desk/alerts.html" if whole else "desk/fragments/alerts.html"
    return render(request, template, {"alerts": recent(limit=LISTED_MAX)})


@require_safe
@login_required
def panel(request: HttpRequest) -> HttpResponse:
    """Show the alerts of the last two days for the front page."""
    found = recent(limit=PANEL_MAX, since=clock.now() - PANEL_AGE_MAX)
    return render(request, "desk/fragments/alerts.html", {"alerts": found})
