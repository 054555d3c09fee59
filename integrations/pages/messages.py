"""The archive: every message in and out, with filters, down to its bytes."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.api.actor import actor
from core.browsing import FilterForm, Listing, day_field, listed
from core.errors import Forbidden
from integrations import registry, selectors, services
from integrations.downloads import ROLES_FOR_BYTES
from integrations.models import BankConnection, Direction, Message, MessageState
from integrations.pages.layout import laid_out

TEXT_CHARS_MAX: Final = 200
KIND_CHARS_MAX: Final = 16
BYTES_SHOWN_MAX: Final = 200_000
ORDERS_SHOWN_MAX: Final = 1_000


class MessageFilter(FilterForm):
    """Questions to the archive."""

    direction = forms.ChoiceField(label="Direction", choices=[("", "both"), *Direction.choices])
    connection = forms.ModelChoiceField(
        label="Connection",
        queryset=BankConnection.objects.none(),
        to_field_name="code",
        empty_label="all",
        error_messages={"invalid_choice": "There is no such connection; choose one of the list."},
    )
    kind = forms.CharField(label="Kind", max_length=KIND_CHARS_MAX)
    state = forms.ChoiceField(label="State", choices=[("", "all"), *MessageState.choices])
    since = day_field("From")
    until = day_field("To")
    reference = forms.CharField(label="Reference, name or sha256", max_length=TEXT_CHARS_MAX)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["connection"]
        field.queryset = BankConnection.objects.order_by("code")  # type: ignore[attr-defined]


def _messages(asked: Mapping[str, Any]) -> tuple[QuerySet[Message], tuple[str, ...]]:
    rows = Message.objects.select_related("connection").defer("body")
    for name in ("direction", "connection", "kind", "state"):
        rows = rows.filter(**{name: asked[name]}) if asked[name] else rows
    if asked["since"]:
        rows = rows.filter(created_at__date__gte=asked["since"])
    if asked["until"]:
        rows = rows.filter(created_at__date__lte=asked["until"])
    if text := asked["reference"]:
        rows = rows.filter(
            Q(reference=text) | Q(message_reference=text) | Q(name=text) | Q(sha256=text.lower())
        )
    return rows, ("id",)


MESSAGES: Final = Listing(
    name="messages",
    form=MessageFilter,
    rows=_messages,
    page="integrations/messages.html",
    table="integrations/messages_table.html",
    columns={
        "created_at": lambda row: row.created_at,
        "direction": lambda row: row.direction,
        "connection": lambda row: row.connection.code,
        "kind": lambda row: row.kind,
        "name": lambda row: row.name,
        "state": lambda row: row.state,
        "reason": lambda row: row.reason,
        "rail": lambda row: row.rail,
        "reference": lambda row: row.reference,
        "message_reference": lambda row: row.message_reference,
        "attempt": lambda row: row.attempt or None,
        "orders": lambda row: row.orders_count or None,
        "seen": lambda row: row.seen_count,
        "bytes": lambda row: row.size_bytes,
        "sha256": lambda row: row.sha256,
        "id": lambda row: row.pk,
    },
)


def _require_reader(request: HttpRequest) -> None:
    if not actor(request).has_role(*ROLES_FOR_BYTES):
        raise Forbidden("Your roles do not allow reading messages of the banks.")


@require_safe
@login_required
def message_list(request: HttpRequest) -> HttpResponse:
    """List messages, newest first."""
    _require_reader(request)
    return listed(request, MESSAGES)


@require_safe
@login_required
def message_page(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show one message: what it is, what became of it, and its bytes."""
    _require_reader(request)
    message = selectors.message(message_id)
    body = selectors.message_bytes(message.pk)
    context = {
        "message": message,
        "uses": registry.uses_of(message.pk, message.reference),
        "file": selectors.file_of(message.pk) if message.carrier_id else None,
        "orders": selectors.orders_in(message)[:ORDERS_SHOWN_MAX],
        "may_try_again": actor(request).has_role(*services.ROLES_FOR_TRYING_AGAIN),
        "text": laid_out(body[:BYTES_SHOWN_MAX].decode("utf-8", "replace")),
        "is_cut": len(body) > BYTES_SHOWN_MAX,
    }
    return render(request, "integrations/message.html", context)
