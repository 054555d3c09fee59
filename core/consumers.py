"""The websocket `/ws/updates`: hints that something changed; clients fetch by cursor.

The group comes from the server's session only. The session is looked at again every few seconds,
so a revoked or disabled person is disconnected.
"""

import asyncio
import contextlib
import json
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from redis.exceptions import RedisError

from core.events.models import OutboxEvent
from core.events.relay import updates_group
from core.identity.models import User
from core.identity.sessions import is_ended
from core.middleware import TENANT_SESSION_KEY
from core.sockets import record_refusal, session_of
from core.tenancy import bound

RECHECK_SECONDS: Final = 3
FRAME_CHARS_MAX: Final = 1_000
CLOSE_NOT_SIGNED_IN: Final = 4401


class UpdatesConsumer(AsyncJsonWebsocketConsumer):
    """Authorise, subscribe, relay hints. Nothing a client sends changes what it receives."""

    tenant: UUID | None = None
    group = ""
    watch: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Accept signed-in people only, into their own tenant's group."""
        self.tenant = await self._tenant_of_session()
        if self.tenant is None:
            await record_refusal(
                self.scope, code="not_authenticated", status=HTTPStatus.UNAUTHORIZED
            )
            await self.accept()
            await self.close(code=CLOSE_NOT_SIGNED_IN)
            return
        self.group = updates_group(self.tenant)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "hello", "sequence": await self._last_sequence()})
        self.watch = asyncio.create_task(self._watch_session())

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - its signature
        """Leave the group and stop watching."""
        if self.watch:
            self.watch.cancel()
        if self.group:
            with contextlib.suppress(RedisError, OSError):
                await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,  # noqa: ARG002 - nothing of ours is binary
        **_kwargs: Any,
    ) -> None:
        """Read a short JSON frame; whatever else a client sends is ignored."""
        if text_data is None or len(text_data) > FRAME_CHARS_MAX:
            return
        with contextlib.suppress(ValueError, RecursionError):
            await self.receive_json(json.loads(text_data))

    async def receive_json(self, content: Any, **_kwargs: Any) -> None:
        """Answer a ping with the last sequence; ignore everything else."""
        if isinstance(content, dict) and content.get("type") == "ping":
            await self.send_json({"type": "pong", "sequence": await self._last_sequence()})

    async def updates_hint(self, message: dict[str, Any]) -> None:
        """Pass a hint on."""
        hint = {"type": "hint", "sequence": message["sequence"], "topics": message["topics"]}
        await self.send_json(hint)

    async def _watch_session(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if await self._tenant_of_session() != self.tenant:
                await self.close(code=CLOSE_NOT_SIGNED_IN)
                return
            # A restarted Valkey forgets groups: joining again is cheap and heals it.
            with contextlib.suppress(RedisError, OSError):
                await self.channel_layer.group_add(self.group, self.channel_name)

    @database_sync_to_async
    def _tenant_of_session(self) -> UUID | None:
        session = session_of(self.scope)
        tenant, user = session.get(TENANT_SESSION_KEY), session.get("_auth_user_id")
        if not tenant or not user:
            return None
        with bound(tenant, actor=user):
            person = User.objects.filter(pk=user, is_active=True).first()
            fresh = (
                person
                and person.get_session_auth_hash() == session.get("_auth_user_hash")
                and not is_ended(session.session_key)
            )
        return UUID(tenant) if fresh else None

    @database_sync_to_async
    def _last_sequence(self) -> int:
        if self.tenant is None:
            return 0
        with bound(self.tenant):
            last = (
                OutboxEvent.objects.filter(sequence__isnull=False)
                .order_by("-sequence")
                .values_list("sequence", flat=True)
                .first()
            )
        return last or 0
