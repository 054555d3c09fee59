"""The position by currency and account, and the way from each figure to the bank's own bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendars.constants import HOUSE_ZONE
from core import clock
from core.api.actor import actor
from core.browsing import day_asked
from integrations import selectors as lines
from integrations.downloads import ROLES_FOR_BYTES
from integrations.pages.layout import laid_out
from integrations.services import ROLES_FOR_TRYING_AGAIN
from treasury.engine.positions import PositionDay
from treasury.models import BankEntry, EntryState
from treasury.selectors import accounts, flows, positions, statements
from treasury.selectors.positions import AccountPosition, CurrencyTotal

ENTRIES_MAX: Final = 40
STATEMENTS_MAX: Final = 12
SIGHTINGS_MAX: Final = 500
BYTES_SHOWN_MAX: Final = 200_000
DAYS_BACK: Final = 30
DAYS_AHEAD: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyGroup:
    """One currency: its total and its accounts."""

    total: CurrencyTotal
    accounts: tuple[AccountPosition, ...]


def _on(request: HttpRequest) -> date:
    return day_asked(request, "on") or clock.today(HOUSE_ZONE)


def _position(on: date) -> dict[str, Any]:
    found = sorted(positions.positions(on=on), key=lambda one: (one.currency, one.label))
    totals = positions.totals(on=on, of=found)
    by_currency = {row.currency: row for row in totals.currencies}
    groups = [
        CurrencyGroup(total=by_currency[currency], accounts=tuple(rows))
        for currency, rows in groupby(found, key=lambda one: one.currency)
    ]
    return {
        "on": on,
        "today": clock.today(HOUSE_ZONE),
        "totals": totals,
        "groups": groups,
        "previous": on - timedelta(days=1),
        "next": on + timedelta(days=1),
    }


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Show the position of a day, by currency and account."""
    whole = request.headers.get("HX-Request") != "true"
    page = "treasury/position.html" if whole else "treasury/position_table.html"
    return render(request, page, _position(_on(request)))


@require_safe
@login_required
def panel(request: HttpRequest) -> HttpResponse:
    """Show today's position for the front page."""
    return render(request, "treasury/position_panel.html", _position(clock.today(HOUSE_ZONE)))


def _chart(days: list[PositionDay], today: date, floor: Decimal, currency: str) -> dict[str, Any]:
    """Return what the chart beside the ladder draws: booked days, then expected ones."""
    ahead = [day for day in days if day.day > today]
    return {
        "currency": currency,
        "history": [[f"{day.day}", f"{day.closing}"] for day in days if day.day <= today],
        "forecast": [[f"{day.day}", *[f"{day.closing}"] * 3] for day in ahead],
        "floor": f"{floor}" if floor else None,
        "floor_amount": floor,
        "flows": [],
        "interval": "",
    }


def _moving(days: list[PositionDay]) -> Iterator[PositionDay]:
    """Yield the days on which something moves or is expected to."""
    for day in days:
        if day.booked or day.pending or day.expected_in or day.expected_out:
            yield day


def _entries(account_id: UUID) -> QuerySet[BankEntry]:
    """Return the newest entries with how often each was seen, doubles left out."""
    found = statements.entries_of(account_id).exclude(state=EntryState.MERGED)
    return found.annotate(sightings=statements.sightings_count()).order_by("-value_date", "-id")[
        :ENTRIES_MAX
    ]


@require_safe
@login_required
def account_page(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one account: what may be spent, the days around today, entries and statements."""
    account = accounts.account(account_id)
    today = clock.today(account.timezone)
    days = positions.position_ladder(
        account_id=account.pk,
        start=today - timedelta(days=DAYS_BACK),
        days=DAYS_BACK + DAYS_AHEAD + 1,
    )
    spendable = positions.available(account_id=account.pk, on=today, now=clock.now())
    context = {
        "account": account,
        "today": today,
        "available": spendable,
        "chart": _chart(days, today, spendable.floor, account.currency),
        "days": list(_moving([day for day in days if day.day >= today])),
        "expected": flows.expected(
            account_id=account.pk, start=today, end=today + timedelta(days=DAYS_AHEAD)
        ),
        "entries": _entries(account.pk),
        "statements": statements.statements_of(account.pk)[:STATEMENTS_MAX],
    }
    return render(request, "treasury/account.html", context)


@require_safe
@login_required
def statement_page(request: HttpRequest, statement_id: UUID) -> HttpResponse:
    """Show one statement: whether it adds up, what it says, and the bytes it was read from."""
    found = statements.statement(statement_id)
    may_read = actor(request).has_role(*ROLES_FOR_BYTES)
    body = lines.message_bytes(found.message_id) if may_read and found.message_id else b""
    context = {
        "statement": found,
        "account": found.account,
        "balances": statements.balances_of(found.pk),
        "successors": statements.successors_of(found.pk),
        "sightings": found.observations.select_related("entry")[:SIGHTINGS_MAX],
        "may_read_bytes": may_read,
        "may_read_again": statements.is_readable_again(found)
        and actor(request).has_role(*ROLES_FOR_TRYING_AGAIN),
        "text": laid_out(body[:BYTES_SHOWN_MAX].decode("utf-8", "replace")),
        "is_cut": len(body) > BYTES_SHOWN_MAX,
    }
    return render(request, "treasury/statement.html", context)
