"""Server-sent events: the outbox in sequence, resumable with `Last-Event-ID`."""

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPMethod
from typing import Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from core.api.authentication import MachineAuthentication
from core.api.problems import problem
from core.events.bus import envelope_of
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import bound, current_tenant_id

BATCH_MAX: Final = 200
PROBLEM: Final = "application/problem+json"
POSITION_DIGITS_MAX: Final = 18
POLL_SECONDS: Final = 0.5
KEEPALIVE_POLLS: Final = 30
STREAM_SECONDS_MAX: Final = 15 * 60


def event_stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Stream the tenant's events after `Last-Event-ID` (or `?after=`); `?topics=a,b` filters.

    Each message carries id = sequence, event = topic, data = envelope. The stream ends after 15
    minutes or when the account is disabled; clients reconnect and miss nothing.
    """
    user = _caller(request)
    if user is None:
        body = problem(status=401, code="not_authenticated", message="Sign in or send a token.")
        return JsonResponse(body, status=401, content_type=PROBLEM)
    if request.method != HTTPMethod.GET:
        body = problem(status=405, code="method_not_allowed", message="Events are only read.")
        allow = {"Allow": HTTPMethod.GET}
        return JsonResponse(body, status=405, headers=allow, content_type=PROBLEM)
    position = request.headers.get("Last-Event-ID") or request.GET.get("after") or "0"
    if not (position.isascii() and position.isdigit() and len(position) <= POSITION_DIGITS_MAX):
        body = problem(status=400, code="invalid", message="Last-Event-ID is a number.")
        return JsonResponse(body, status=400, content_type=PROBLEM)
    topics = [topic for topic in request.GET.get("topics", "").split(",") if topic]
    reader = _stream(current_tenant_id(), user.pk, int(position), topics)
    response = StreamingHttpResponse(reader, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "no-store"
    return response


def _caller(request: HttpRequest) -> User | None:
    from rest_framework.exceptions import AuthenticationFailed
    from rest_framework.request import Request

    if isinstance(request.user, User):
        return request.user
    try:
        found = MachineAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        return None
    return found[0] if found and isinstance(found[0], User) else None


async def _stream(tenant: UUID, user: UUID, position: int, topics: list[str]) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    idle = 0
    for _ in range(int(STREAM_SECONDS_MAX / POLL_SECONDS)):
        batch = await sync_to_async(_after)(tenant, user, position, topics)
        if batch is None:
            return
        for sequence, topic, data in batch:
            position = sequence
            yield f"id: {sequence}\nevent: {topic}\ndata: {data}\n\n"
        idle = 0 if batch else idle + 1
        if idle and idle % KEEPALIVE_POLLS == 0:
            yield ": still here\n\n"
        if len(batch) < BATCH_MAX:
            await asyncio.sleep(POLL_SECONDS)


def _after(
    tenant: UUID, user: UUID, position: int, topics: list[str]
) -> list[tuple[int, str, str]] | None:
    """Return the next events, or None when the account may not read any more."""
    with bound(tenant, actor=user):
        if not User.objects.filter(pk=user, is_active=True).exists():
            return None
        rows = OutboxEvent.objects.filter(sequence__gt=position).order_by("sequence")
        if topics:
            rows = rows.filter(topic__in=topics)
        return [
            (row.sequence or 0, row.topic, json.dumps(envelope_of(row).as_json()))
            for row in rows[:BATCH_MAX]
        ]
