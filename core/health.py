"""`/health`: each component, and `degraded` when one that can wait is away."""

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from core import clock
from core.events.transports import redis_client

Probe = Callable[[], dict[str, Any]]
_probes: dict[str, Probe] = {}


def component(name: str, probe: Probe) -> None:
    """Add a component; its probe returns {'status': 'ok' | 'degraded', …} and must be quick."""
    _probes[name] = probe


def _database() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return {"status": "down", "error": type(error).__name__}
    return {"status": "ok"}


def _valkey() -> dict[str, Any]:
    try:
        redis_client().ping()
    except (RedisError, OSError) as error:
        return {"status": "degraded", "error": type(error).__name__}
    return {"status": "ok"}


component("database", _database)
component("valkey", _valkey)


@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when the system can serve (perhaps degraded), 503 when the database is away."""
    components = {name: probe() for name, probe in _probes.items()}
    states = {part["status"] for part in components.values()}
    status = "down" if "down" in states else "degraded" if "degraded" in states else "ok"
    body = {"status": status, "time": clock.now().isoformat(), "components": components}
    return JsonResponse(body, status=503 if status == "down" else 200)
