"""HTTP line to a bank: proven requests, timeouts, and a careful reading of every way to fail."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import httpx

from core import strict_json
from core.errors import Invalid
from integrations.channels.access import TokenRefused, access_of, encryption_of
from integrations.channels.folder import printable
from integrations.channels.protocol import (
    BankStatus,
    ChannelTrouble,
    InboundFile,
    LineSettings,
    NotSent,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    Refused,
    Unreachable,
)
from integrations.constants import INBOUND_BYTES_MAX, LISTING_BYTES_MAX, RECEIPT_BYTES_MAX

# Raised before a byte of the request has left: name, connection, encryption.
_BEFORE_SENDING: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
# The bank refuses the caller, not the payment: a person repairs the line, the payment waits.
_CALLER_REFUSED: Final = frozenset({401, 403, 404, 405, 407, 429})
# Answers of the 400s that do not exclude that the order was taken.
_UNCERTAIN: Final = frozenset({408, 409, 425})
_RETRY_FIRST_SECONDS: Final = 0.2
_RETRY_AFTER_SECONDS_MAX: Final = 300.0
_PAGES_MAX: Final = 100
_BODY_SECONDS_FACTOR: Final = 2


class HttpChannel:
    """One bank's address. Questions are repeated with jitter; a payment is offered once a call."""

    not_found_is_final = False

    def __init__(
        self,
        line: LineSettings,
        *,
        rng: random.Random | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.line = line
        self.base_url = line.base_url.rstrip("/")
        self._rng = rng or random.SystemRandom()
        self._pause = pause
        timeout = httpx.Timeout(
            connect=line.connect_timeout_seconds,
            read=line.read_timeout_seconds,
            write=line.read_timeout_seconds,
            pool=line.connect_timeout_seconds,
        )
        self._client = httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=False, verify=encryption_of(line)
        )
        self._access = access_of(line, self._client)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Out

    def send(self, message: Outgoing) -> Receipt:
        """Post a payment file once.

        Raises:
            NotSent: no connection, or the bank does not talk to us now.
            Refused: a definite refusal of this file.
            OutcomeUnknown: anything in between.
        """
        headers = {"Content-Type": "application/xml", "Idempotency-Key": message.key}
        try:
            status, received, body = self._call(
                "POST", "/payments", body=message.body, headers=headers, limit=RECEIPT_BYTES_MAX
            )
        except TokenRefused as error:
            raise NotSent(str(error)) from error
        except _BEFORE_SENDING as error:
            raise NotSent(f"No connection to the bank: {_kind(error)}.") from error
        except (httpx.HTTPError, httpx.InvalidURL, _TooMuch) as error:
            raise OutcomeUnknown(f"The call broke off: {_kind(error)}.") from error
        if httpx.codes.is_success(status):
            return _receipt(message, body)
        if status == HTTPStatus.UNAUTHORIZED:
            self._access.forget()
        raise _failure(status, received, body)

    def status(self, message: Outgoing) -> BankStatus | None:
        """Ask for a payment by its reference; another message's payment does not count.

        Raises:
            Unreachable: no answer, or one that is neither a yes nor a no.
        """
        path = f"/payments/{quote(message.reference, safe='')}"
        status, body = self._get(path, limit=RECEIPT_BYTES_MAX)
        answer = _object(body)
        if status == HTTPStatus.NOT_FOUND and answer.get("found") is False:
            return None
        if status != HTTPStatus.OK or answer.get("found") is not True:
            raise Unreachable(f"The bank's answer ({status}) is neither a yes nor a no.")
        if answer.get("message_id", message.message_reference) != message.message_reference:
            return None
        return BankStatus(
            status=str(answer.get("status", "")),
            bank_reference=str(answer.get("bank_reference", "") or answer.get("uetr", "")),
            facts=_plain(answer, "status", "uetr", "received_at", "message_id", "executed_at"),
        )

    # In

    def collect(self, cursor: str) -> Iterator[InboundFile]:
        """Yield the messages behind `cursor`, page by page.

        Raises:
            Unreachable: the bank cannot be asked or its listing makes no sense.
        """
        for _ in range(_PAGES_MAX):
            rows = self._page(cursor)
            if not rows:
                return
            for row in rows:
                cursor = str(row["n"])
                yield self._fetch(row, cursor)

    def _page(self, cursor: str) -> list[dict[str, Any]]:
        path = f"/messages?after={quote(cursor or '0', safe='')}"
        status, body = self._get(path, limit=LISTING_BYTES_MAX)
        rows = _object(body).get("messages")
        if status != HTTPStatus.OK or not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise Unreachable(f"The bank's list of messages ({status}) cannot be read.")
        return rows

    def _fetch(self, row: dict[str, Any], cursor: str) -> InboundFile:
        name = printable(str(row.get("file_name") or f"message-{cursor}"))
        try:
            status, body = self._get(f"/messages/{quote(cursor)}", limit=INBOUND_BYTES_MAX)
        except _TooMuch:
            digest = hashlib.sha256(f"{self.line.code}\n{cursor}\n{name}".encode()).hexdigest()
            problem = f"The message has more than {INBOUND_BYTES_MAX:,} bytes."
            size = INBOUND_BYTES_MAX + 1
            return InboundFile(
                name=name, data=b"", sha256=digest, size_bytes=size, cursor=cursor, problem=problem
            )
        if status != HTTPStatus.OK:
            raise Unreachable(f"The bank lists message {cursor} but answers {status} for it.")
        return InboundFile(
            name=name,
            data=body,
            sha256=hashlib.sha256(body).hexdigest(),
            size_bytes=len(body),
            cursor=cursor,
        )

    def place_for(self, file: InboundFile, *, reason: str = "") -> str:
        """Return where it lies: with the bank, behind its cursor."""
        del reason
        return f"message {file.cursor}"

    def lies_at(self, place: str) -> bool:
        """Say yes: the cursor was saved together with the message."""
        return bool(place)

    def put_away(self, file: InboundFile, place: str, *, reason: str = "") -> None:
        """Leave it where it is: nothing lies on our side."""

    def return_as_set_aside(self, place: str, *, reason: str) -> str:
        """Leave it where it is."""
        del reason
        return place

    def probe(self) -> str:
        """Ask the bank for its health.

        Raises:
            Unreachable: no answer.
        """
        status, _ = self._get("/health", limit=RECEIPT_BYTES_MAX)
        if status in (200, 204, 503):
            return f"The bank answers ({status})."
        raise Unreachable(f"The bank answers {status}.")

    # Both

    def _get(self, path: str, *, limit: int) -> tuple[int, bytes]:
        """Ask, and ask again after a short random pause when nothing came back."""
        for attempt in range(self.line.get_retries_max + 1):
            try:
                status, body = self._asked(path, limit=limit)
            except TokenRefused as error:
                trouble: Unreachable = error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                trouble = Unreachable(f"The bank cannot be asked: {_kind(error)}.")
            else:
                if not httpx.codes.is_server_error(status) or path == "/health":
                    return status, body
                trouble = Unreachable(f"The bank answers {status}.")
            if attempt == self.line.get_retries_max:
                raise trouble
            self._pause(_RETRY_FIRST_SECONDS * 2**attempt * self._rng.uniform(0.5, 1.5))
        raise Unreachable("The bank was not asked.")

    def _asked(self, path: str, *, limit: int) -> tuple[int, bytes]:
        """Ask; a proof that the bank stopped taking is renewed once."""
        status, _, body = self._call("GET", path, limit=limit)
        if status == HTTPStatus.UNAUTHORIZED and self._access.forget():
            status, _, body = self._call("GET", path, limit=limit)
        return status, body

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        limit: int,
    ) -> tuple[int, httpx.Headers, bytes]:
        proven = {
            **(headers or {}),
            "Accept-Encoding": "identity",
            **self._access.headers(body),
        }
        deadline = time.monotonic() + _BODY_SECONDS_FACTOR * self.line.read_timeout_seconds
        with self._client.stream(
            method, f"{self.base_url}{path}", content=body or None, headers=proven
        ) as response:
            received = bytearray()
            for chunk in response.iter_raw():
                received += chunk
                if len(received) > limit:
                    raise _TooMuch("more than the limit")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long")
            return response.status_code, response.headers, bytes(received)


class _TooMuch(Unreachable):
    """The answer is longer than we read."""


def _receipt(message: Outgoing, body: bytes) -> Receipt:
    """Read the acknowledgement; one that speaks about other bytes acknowledges nothing."""
    answer = _object(body)
    digest, message_id = answer.get("sha256"), answer.get("message_id")
    if digest not in (None, message.sha256) or message_id not in (
        None,
        message.message_reference,
    ):
        raise OutcomeUnknown("The bank's receipt is for another message.")
    if digest is None and message_id is None:
        raise OutcomeUnknown("The bank's receipt does not say what it is for.")
    return Receipt(
        bank_reference=str(answer.get("receipt_id", "")),
        facts=_plain(answer, "receipt_id", "received_at", "transactions", "status"),
    )


def _failure(status: int, headers: httpx.Headers, body: bytes) -> ChannelTrouble:
    answer = _object(body)
    words = str(answer.get("message") or answer.get("detail") or "no reason given")[:500]
    if status in _CALLER_REFUSED:
        wish = headers.get("Retry-After", "")
        seconds = min(float(wish), _RETRY_AFTER_SECONDS_MAX) if wish.isdecimal() else 0.0
        return NotSent(
            f"The bank does not talk to us ({status}: {words}).", retry_after_seconds=seconds
        )
    if httpx.codes.is_client_error(status) and status not in _UNCERTAIN:
        return Refused(f"The bank refused the file ({status}: {words}).")
    return OutcomeUnknown(f"The bank answered {status}: {words}.")


def _object(body: bytes) -> dict[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    try:
        answer = strict_json.loads(body)
    except Invalid:
        return {}
    return answer if isinstance(answer, dict) else {}


def _plain(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    """Keep a few short facts of an answer."""
    facts = {name: answer[name] for name in names if answer.get(name) not in (None, "")}
    kept: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return {name: str(fact)[:200] for name, fact in kept.items()}


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and str(row.get("n", "")).isascii() and "n" in row


def _kind(error: Exception) -> str:
    words = {
        "ConnectError": "nobody listens there",
        "ConnectTimeout": "no connection in time",
        "ReadTimeout": "no answer in time",
        "WriteTimeout": "it did not take the file in time",
        "ReadError": "the connection broke",
        "WriteError": "the connection broke",
        "RemoteProtocolError": "the connection was closed without an answer",
    }
    name = type(error).__name__
    return words.get(name, name)
