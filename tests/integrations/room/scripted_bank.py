"""A tiny HTTP server that answers as a test tells it, also wrongly, late or not at all."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """One answer; `breaks_off` closes the connection after half of the body."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False
    hangs: bool = False


Script = Callable[[Asked], Says]


class ScriptedBank:
    """Runs in a thread of the test."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                request = Asked(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                )
                outer.asked.append(request)
                outer.answer(self, outer.script(request))

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_args: Any) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler, says: Says) -> None:
        if says.hangs:
            self.closing.wait(30)
            handler.close_connection = True
            return
        handler.send_response(says.status)
        for name, value in says.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(says.body)))
        handler.end_headers()
        if says.breaks_off:
            handler.wfile.write(says.body[: len(says.body) // 2])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.wfile.write(says.body)


@contextmanager
def scripted(script: Script) -> Iterator[ScriptedBank]:
    bank = ScriptedBank(script)
    thread = threading.Thread(target=bank.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield bank
    finally:
        bank.closing.set()
        bank.server.shutdown()
        bank.server.server_close()
        thread.join(timeout=10)
