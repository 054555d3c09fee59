"""Which days are closed, and what waits to change them."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest

from core.errors import NotFound
from treasury.models import BankAccount, LateEntry, LateState

# Of two days the later; PostgreSQL passes over the one that is not set.
_LATER: Final = Greatest("closed_until", "entity__closed_until")


def closed_until(account_id: UUID) -> date | None:
    """Return the last closed day of an account: the later of its own and its company's."""
    found = BankAccount.objects.filter(pk=account_id).annotate(shut_until=_LATER)
    return found.values_list("shut_until", flat=True).first()


def closing_of(account_id: UUID) -> tuple[date | None, bool]:
    """Return the last closed day of an account, and whether anything stands to change it."""
    stands = LateEntry.objects.filter(
        account=OuterRef("pk"), state__in=(LateState.WAITING, LateState.LEFT)
    )
    found = BankAccount.objects.filter(pk=account_id).annotate(
        shut_until=_LATER, stands=Exists(stands)
    )
    return found.values_list("shut_until", "stands").get()


def with_closing() -> QuerySet[BankAccount, Any]:
    """Return all accounts with `shut_until`, the last closed day of each."""
    return BankAccount.objects.select_related("entity", "bank").annotate(shut_until=_LATER)


def closings() -> QuerySet[BankAccount, Any]:
    """Return all accounts with `shut_until` and how much waits for a person."""
    waits = Count("pk", filter=Q(late_entries__state=LateState.WAITING))
    return with_closing().annotate(waiting=waits).order_by("entity__name", "currency", "label")


def late_entries(asked: Mapping[str, Any] | None = None) -> QuerySet[LateEntry]:
    """Return late entries with what a list shows, narrowed by account and state."""
    rows = LateEntry.objects.select_related("account", "entry", "statement", "decided_by", "kept")
    for name in ("account", "state"):
        if asked and asked.get(name):
            rows = rows.filter(**{name: asked[name]})
    return rows


def late_entry(late_id: UUID) -> LateEntry:
    """Return one late entry.

    Raises:
        NotFound: there is none.
    """
    found = late_entries().filter(pk=late_id).first()
    if found is None:
        raise NotFound("There is no such late entry.", field="late_entry")
    return found
