"""A websocket client that speaks to the served application in the same event loop."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.conf import settings


class Socket:
    """One connection to `/ws/updates`, seen from the browser's side."""

    def __init__(self, cookie: str = "", origin: str | None = None) -> None:
        from tms.asgi import application

        headers = [(b"origin", (settings.TMS_ORIGINS[0] if origin is None else origin).encode())]
        if cookie:
            name = settings.SESSION_COOKIE_NAME
            headers.append((b"cookie", f"{name}={cookie}".encode()))
        scope = {
            "type": "websocket",
            "path": "/ws/updates",
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        self._line = ApplicationCommunicator(application, scope)

    async def connect(self) -> bool:
        """Ask to connect; return whether the handshake was accepted."""
        await self._line.send_input({"type": "websocket.connect"})
        answer = await self._line.receive_output(5)
        return bool(answer["type"] == "websocket.accept")

    async def send(self, message: Any) -> None:
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str) -> None:
        await self._line.send_input({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        await self._line.send_input({"type": "websocket.receive", "bytes": data})

    async def output(self, seconds: float = 5) -> dict[str, Any]:
        found: dict[str, Any] = await self._line.receive_output(seconds)
        return found

    async def receive(self) -> Any:
        """Return the next message of the server."""
        answer = await self.output()
        assert answer["type"] == "websocket.send", answer
        return json.loads(answer["text"])

    async def is_quiet(self, seconds: float) -> bool:
        """Return whether the server says nothing for a while."""
        return bool(await self._line.receive_nothing(timeout=seconds))

    async def closed_with(self, seconds: float = 5) -> int:
        """Wait for the server to close; return the code."""
        while True:
            message = await self.output(seconds)
            if message["type"] == "websocket.close":
                return int(message["code"])

    async def leave(self) -> None:
        """Go away and let the application finish."""
        await self._line.send_input({"type": "websocket.disconnect", "code": 1000})
        self._line.stop(exceptions=False)
