"""The HTTP door: orders and questions over a plain stdlib server with limits on everything."""

import hashlib
import hmac
import json
import logging
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from integrations.sandbox_bank import views
from integrations.sandbox_bank.accounts_file import parse_accounts
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.faults import Fired
from integrations.sandbox_bank.page import render_book
from integrations.sandbox_bank.pain001 import FILE_BYTES_MAX
from integrations.sandbox_bank.records import BankError
from integrations.sandbox_bank.tokens import TokenDesk

JSON_BYTES_MAX = 4_000_000
IDLE_SECONDS_MAX = 30
CONNECTIONS_MAX = 64
HANG_SECONDS = 60.0
TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address
SWITCH_PATH = "/book/faults"
OPEN_PATHS = frozenset({"/health", "/book", "/clock"})
log = logging.getLogger(__name__)


class Reply:
    """Status, media type and bytes of an answer; `lost` means that it never arrives."""

    def __init__(
        self, content: object, *, status: int = 200, media_type: str = "application/json"
    ) -> None:
        self.status = status
        self.media_type = media_type
        self.body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.lost: Fired | None = None


class Request:
    """What a route gets to see."""

    def __init__(
        self, *, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> None:
        self.query = query
        self.headers = headers
        self.body = body

    def content(self) -> Any:
        """Return the body as JSON, strictly.

        Raises:
            BankError: not JSON, duplicate keys, or NaN and its kin.
        """
        try:
            content = json.loads(
                self.body or b"{}", object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
            )
            # Half a surrogate pair is legal in JSON but is no text: nothing could store it.
            json.dumps(content, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise BankError("json_invalid", f"the body is not strict JSON: {error}") from error
        return content

    def fields(self, *allowed: str) -> dict[str, Any]:
        """Return the body as an object with no other than these fields.

        Raises:
            BankError: not an object, or an unknown field.
        """
        content = self.content()
        if not isinstance(content, dict) or set(content) - set(allowed):
            raise BankError(
                "json_invalid", f"an object with {', '.join(allowed)} is expected", status=422
            )
        return content

    def number(self, name: str, default: int) -> int:
        text = self.query.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,15}", text, re.ASCII):
            raise BankError("query_invalid", f"{name} must be a whole number", status=422)
        return int(text)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def post_payment(bank: Bank, request: Request) -> Reply:
    receipt = bank.receive(
        request.body, door="http", idempotency_key=request.headers.get("idempotency-key", "")
    )
    reply = Reply({"status": "received", **receipt.body}, status=202)
    reply.lost = receipt.lost
    return reply


def get_payment(bank: Bank, request: Request, end_to_end_id: str) -> Reply:
    found = views.find_payment(bank.book, end_to_end_id, request.query.get("debtor", ""))
    if found is None:
        absent = {
            "found": False,
            "code": "not_found",
            "message": "no payment under this reference",
        }
        return Reply({**absent, "end_to_end_id": end_to_end_id}, status=404)
    return Reply(found)


def get_messages(bank: Bank, request: Request) -> Reply:
    found = bank.messages(
        after=request.number("after", 0), channel=request.query.get("channel", "http")
    )
    return Reply(
        {
            "messages": found,
            "next_after": found[-1]["n"] if found else request.number("after", 0),
        }
    )


def get_message(bank: Bank, request: Request, number: str) -> Reply:
    del request
    kind, payload = bank.message(int(number))
    is_xml = kind.startswith(("camt.", "pain."))
    media_type = "application/xml" if is_xml else "text/plain; charset=utf-8"
    return Reply(payload, media_type=media_type)


def get_clock(bank: Bank, request: Request) -> Reply:
    del request
    return Reply(bank.clock())


def advance_clock(bank: Bank, request: Request) -> Reply:
    fields = request.fields("seconds", "to")
    seconds, to = fields.get("seconds"), fields.get("to")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
        raise BankError("clock_step_refused", "seconds must be a number", status=422)
    return Reply(bank.advance_clock(seconds=seconds, to=_moment(to)))


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise BankError(
            "clock_step_refused", "to must be an ISO 8601 moment", status=422
        ) from error
    if moment.tzinfo is None:
        raise BankError("clock_step_refused", "to must carry its UTC offset", status=422)
    return moment


def post_accounts(bank: Bank, request: Request) -> Reply:
    content = request.content()
    if isinstance(content, dict) and set(content) == {"accounts"}:
        content = content["accounts"]
    return Reply({"accounts": bank.put_accounts(parse_accounts(content, bank.office.manners))})


def get_accounts(bank: Bank, request: Request) -> Reply:
    del request
    return Reply({"accounts": [views.account_view(bank.book, one) for one in bank.book.accounts()]})


def post_report(bank: Bank, request: Request) -> Reply:
    fields = request.fields("account", "type", "date")
    kind = fields.get("type", "camt.052")
    return Reply(
        bank.report(account=fields.get("account"), kind=kind, day=fields.get("date")),
        status=202,
    )


def post_eod(bank: Bank, request: Request) -> Reply:
    fields = request.fields("account", "force")
    return Reply(bank.end_of_day(account=fields.get("account"), force=fields.get("force", False)))


def post_script(bank: Bank, request: Request) -> Reply:
    return Reply({"steps": bank.plan_script(request.content())}, status=201)


def post_fault(bank: Bank, request: Request) -> Reply:
    return Reply(bank.add_fault(request.content()), status=201)


def get_faults(bank: Bank, request: Request) -> Reply:
    del request
    return Reply({"faults": bank.list_faults()})


def delete_faults(bank: Bank, request: Request) -> Reply:
    del request
    return Reply({"cleared": bank.clear_faults()})


def get_book(bank: Bank, request: Request) -> Reply:
    limit = min(request.number("limit", views.ROWS_MAX), views.ROWS_MAX)
    found = views.book_view(bank.book, account=request.query.get("account", ""), limit=limit)
    if "text/html" in request.headers.get("accept", ""):
        page = render_book(found, bank.office.now().isoformat(timespec="seconds"))
        return Reply(page.encode(), media_type="text/html; charset=utf-8")
    return Reply(found)


def switch_fault(bank: Bank, request: Request) -> Reply:
    """The form of the page: it carries the operator's secret, for browsers sign nothing."""
    fields = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
    if kind := fields.get("kind"):
        account = fields.get("account", "").strip()
        match = {"account": account} if account else {}
        bank.add_fault({"kind": kind, "count": 1, "match": match})
    else:
        bank.clear_faults()
    return get_book(bank, Request(query={}, headers={"accept": "text/html"}, body=b""))


def get_executed(bank: Bank, request: Request) -> Reply:
    del request
    return Reply({"executed": views.executed_view(bank.book)})


def get_health(bank: Bank, request: Request) -> Reply:
    del request
    wrong = views.imbalances(bank.book)
    status = {
        "status": "degraded" if wrong else "ok",
        "unbalanced_accounts": wrong,
        **bank.clock(),
    }
    return Reply(status, status=503 if wrong else 200)


Route = Callable[..., Reply]
ROUTES: tuple[tuple[str, re.Pattern[str], Route], ...] = (
    ("POST", re.compile(r"/payments"), post_payment),
    ("GET", re.compile(r"/payments/([^/]{1,200})"), get_payment),
    ("GET", re.compile(r"/messages"), get_messages),
    ("GET", re.compile(r"/messages/([0-9]{1,15})", re.ASCII), get_message),
    ("GET", re.compile(r"/clock"), get_clock),
    ("POST", re.compile(r"/clock/advance"), advance_clock),
    ("POST", re.compile(r"/accounts"), post_accounts),
    ("GET", re.compile(r"/accounts"), get_accounts),
    ("POST", re.compile(r"/report"), post_report),
    ("POST", re.compile(r"/eod"), post_eod),
    ("POST", re.compile(r"/script"), post_script),
    ("POST", re.compile(r"/faults"), post_fault),
    ("GET", re.compile(r"/faults"), get_faults),
    ("DELETE", re.compile(r"/faults"), delete_faults),
    ("POST", re.compile(SWITCH_PATH), switch_fault),
    ("GET", re.compile(r"/book"), get_book),
    ("GET", re.compile(r"/book/executed"), get_executed),
    ("GET", re.compile(r"/health"), get_health),
)


class BankServer(ThreadingHTTPServer):
    """The listening side; refuses connections above its limit instead of piling up threads."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], bank: Bank, *, secret: str = "") -> None:
        self.bank = bank
        self.secret = secret
        self.tokens = TokenDesk(secret)
        self.shows_certificate = False
        self.asked_to_stop = False
        self.stopping = threading.Event()
        self.progress = threading.Event()
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(address, Door)

    def ask_to_stop(self) -> None:
        """Remember the wish; only a plain flag is safe to touch from a signal handler."""
        self.asked_to_stop = True

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request
        log.error("connection from %s ended badly: %r", client_address[0], sys.exception())


class Door(BaseHTTPRequestHandler):
    """One connection: authorise, read within limits, route, answer in JSON."""

    protocol_version = "HTTP/1.1"
    server_version = "SandboxBank"
    sys_version = ""
    timeout = IDLE_SECONDS_MAX
    server: BankServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            reply = self._answer()
        except BankError as error:
            reply = Reply({"code": error.code, "message": str(error)}, status=error.status)
        except TimeoutError:
            self.close_connection = True
            return
        self.server.progress.set()
        if reply.lost is not None:
            self._lose(reply.lost)
            return
        self._send(reply)

    def _answer(self) -> Reply:
        parts = urlsplit(self.path)
        body = self._body(parts.path)
        if (self.command, parts.path) == ("POST", TOKEN_PATH):
            return Reply(self.server.tokens.give(self.headers.get("Authorization", "")))
        self._authorise(parts.path, body)
        query = {
            name: values[-1] for name, values in parse_qs(parts.query, max_num_fields=20).items()
        }
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(query=query, headers=headers, body=body)
        allowed = []
        for method, pattern, route in ROUTES:
            if match := pattern.fullmatch(parts.path):
                allowed.append(method)
                if method == self.command:
                    return route(
                        self.server.bank, request, *(unquote(part) for part in match.groups())
                    )
        if allowed:
            raise BankError("method_not_allowed", f"use {' or '.join(allowed)}", status=405)
        raise BankError("not_found", "no such address", status=404)

    def _body(self, path: str) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise self._unread("length_required", "send Content-Length, not chunks", 411)
        text = self.headers.get("Content-Length", "0")
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
            raise self._unread("length_required", "Content-Length must be a number", 411)
        limit = FILE_BYTES_MAX if path == "/payments" else JSON_BYTES_MAX
        if int(text) > limit:
            raise self._unread("too_large", f"at most {limit} bytes", 413)
        body = self.rfile.read(int(text))
        if len(body) != int(text):
            raise self._unread("body_incomplete", "the body ended early", 400)
        return body

    def _unread(self, code: str, message: str, status: int) -> BankError:
        # What is left of the body cannot be told from a next request, so it ends here.
        self.close_connection = True
        return BankError(code, message, status=status)

    def _authorise(self, path: str, body: bytes) -> None:
        if path == SWITCH_PATH and self._is_operator(body):
            return
        if self.command != "GET" and self.headers.get("Origin"):
            raise BankError(
                "origin_refused", "browsers of other pages may not give orders", status=403
            )
        secret = self.server.secret.encode()
        is_open = self.command == "GET" and path in OPEN_PATHS
        # Whoever got through the encrypted door has shown the customer's certificate.
        if not secret or is_open or self.server.shows_certificate:
            return
        if self.server.tokens.knows(self.headers.get("Authorization", "")):
            return
        bearer = f"Bearer {self.server.secret}".encode()
        signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        shown_bearer = self.headers.get("Authorization", "").encode()
        shown_signature = self.headers.get("X-Signature", "").encode()
        if not hmac.compare_digest(shown_bearer, bearer) and not hmac.compare_digest(
            shown_signature, signature.encode()
        ):
            raise BankError(
                "unauthorised",
                "a bearer token or a signature of the body is needed",
                status=401,
            )

    def _is_operator(self, body: bytes) -> bool:
        """Whether the form of our own page was sent, with the secret in it."""
        origin = self.headers.get("Origin", "")
        if origin and urlsplit(origin).netloc != self.headers.get("Host", ""):
            return False
        try:
            shown = parse_qs(body.decode(), max_num_fields=10).get("secret", [""])[-1]
        except ValueError:
            return False
        return hmac.compare_digest(shown.encode(), self.server.secret.encode())

    def _lose(self, fault: Fired) -> None:
        """Leave the customer without an answer although the order stands."""
        if fault.mode == "hang":
            self.server.stopping.wait(fault.seconds or HANG_SECONDS)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer protocol errors in the same JSON shape as everything else."""
        del explain
        self.close_connection = True
        text = message or HTTPStatus(code).phrase
        self._send(Reply({"code": "bad_request", "message": text}, status=code))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature of http.server
        log.debug(format, *args)
