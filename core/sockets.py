"""Who a websocket's cookie stands for, and the trail of those that were refused.

Without a session there is no tenant whose trail could keep the attempt; everything else is kept.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError
from django.http import parse_cookie

from core.audit.refusals import Attempt, record
from core.middleware import TENANT_SESSION_KEY

PATH: Final = "ws/updates"
logger = structlog.get_logger(__name__)
Scope = Mapping[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def session_of(scope: Scope) -> SessionStore:
    """Return the session that the handshake's cookie names, empty when there is none."""
    headers = dict(scope.get("headers", []))
    cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    return SessionStore(session_key=cookies.get(settings.SESSION_COOKIE_NAME))


@database_sync_to_async
def record_refusal(scope: Scope, *, code: str, status: HTTPStatus) -> None:
    """Keep a refused handshake in the trail of the session's tenant; a dead trail stops nothing."""
    session = session_of(scope)
    tenant, user = session.get(TENANT_SESSION_KEY), session.get("_auth_user_id")
    if not tenant or not user:
        return
    attempt = Attempt(method="GET", path=PATH, code=code, status=int(status))
    try:
        record(tenant=tenant, actor=user, attempt=attempt)
    except DatabaseError as error:
        logger.exception("refusal_not_recorded", code=code, error=type(error).__name__)


class RecordedOrigins:
    """Keep what the check of origins turned away: it closes before anything was accepted."""

    def __init__(self, application: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and note a handshake that was never accepted."""
        was_accepted = False

        async def noting(message: Message) -> None:
            nonlocal was_accepted
            was_accepted = was_accepted or message["type"] == "websocket.accept"
            if message["type"] == "websocket.close" and not was_accepted:
                await record_refusal(scope, code="origin_refused", status=HTTPStatus.FORBIDDEN)
            await send(message)

        await self.application(scope, receive, noting)
