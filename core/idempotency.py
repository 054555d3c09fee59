"""Idempotency-Key: the same request again returns the first answer; another request is refused."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from django.db import models
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import IdempotencyConflict, Invalid
from core.tenancy.context import current_actor
from core.tenancy.models import TenantModel

KEY_LENGTH_MAX: Final = 120


class IdempotencyKey(TenantModel):
    """A key, the request it stood for, and the answer; unique per tenant and actor."""

    actor = models.CharField(max_length=120)
    key = models.CharField(max_length=KEY_LENGTH_MAX)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    response = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "core"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "actor", "key"], name="idempotency_key_per_actor"
            )
        ]

    def __str__(self) -> str:
        return self.key


def _fingerprint(request: Request) -> str:
    content = json.dumps(request.data, sort_keys=True, default=str)
    return sha256(f"{request.method} {request.path}\n{content}".encode()).hexdigest()


def once(request: Request, act: Callable[[], Response]) -> Response:
    """Run `act` once per Idempotency-Key; key, effect and stored answer commit together.

    Two requests with one key race for the unique row: the second waits for the first to commit,
    then returns its answer. A refused request stores nothing, so the key may be used again.

    Raises:
        Invalid: no key, or one that is too long.
        IdempotencyConflict: the key stands for another request.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        message = f"Send an Idempotency-Key header of 1 to {KEY_LENGTH_MAX} characters."
        raise Invalid(message, field="Idempotency-Key")
    actor, fingerprint = current_actor(), _fingerprint(request)
    row = IdempotencyKey(actor=actor, key=key, request_hash=fingerprint)
    IdempotencyKey.objects.bulk_create([row], ignore_conflicts=True)
    stored = IdempotencyKey.objects.select_for_update().get(actor=actor, key=key)
    if stored.request_hash != fingerprint:
        raise IdempotencyConflict("This Idempotency-Key was used for another request.", key=key)
    if stored.status is not None:
        headers = {"Idempotent-Replay": "true"}
        return Response(stored.response, status=stored.status, headers=headers)
    response = act()
    stored.status, stored.response = response.status_code, _plain(response.data)
    stored.save(update_fields=["status", "response"])
    return response


def _plain(content: Any) -> Any:
    """Return response data as JSON would carry it, so that the replay equals the first answer."""
    from rest_framework.utils.encoders import JSONEncoder

    return json.loads(json.dumps(content, cls=JSONEncoder))
