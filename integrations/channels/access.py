"""How a caller proves who calls over HTTP: a shared secret, a token, or a certificate."""

import functools
import hashlib
import hmac
import ssl
import tempfile
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

import httpx

from core import strict_json
from core.errors import Invalid
from integrations.channels.protocol import LineSettings, Unreachable

# A token is renewed before the bank would refuse it: calls take time, clocks differ.
RENEW_BEFORE_SECONDS: Final = 30.0
TOKEN_SECONDS_DEFAULT: Final = 300.0
TOKEN_SECONDS_MAX: Final = 86_400.0
TOKEN_BYTES_MAX: Final = 64 * 1024
TOKENS_MAX: Final = 1_000


class TokenRefused(Unreachable):
    """The bank gave no token: nothing was asked of it, and nothing was sent."""


class Access(Protocol):
    """What is added to every request."""

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the headers that prove who calls.

        Raises:
            TokenRefused: there is no way to prove it now.
        """
        ...

    def forget(self) -> bool:
        """Drop what was remembered; True when the next try may fare better."""
        ...


class Signature:
    """The body under a secret that both sides know."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def headers(self, body: bytes) -> dict[str, str]:
        """Sign the body."""
        digest = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        return {"X-Signature": f"sha256={digest}"}

    def forget(self) -> bool:
        """Remember nothing."""
        return False


class Certificate:
    """The encryption itself says who calls."""

    def headers(self, body: bytes) -> dict[str, str]:
        """Add nothing."""
        del body
        return {}

    def forget(self) -> bool:
        """Remember nothing."""
        return False


class ClientCredentials:
    """OAuth2: name and secret are exchanged for a token, which is kept until it runs out.

    Tokens live in the memory of this process only; they are neither stored nor logged.
    """

    _tokens: dict[str, tuple[str, float]] = {}
    _lock = threading.Lock()

    def __init__(self, line: LineSettings, client: httpx.Client) -> None:
        self._line, self._client = line, client
        known_by = f"{line.token_url}\n{line.username}\n{line.secret}\n{line.token_scope}"
        self._key = hashlib.sha256(known_by.encode()).hexdigest()

    def headers(self, body: bytes) -> dict[str, str]:
        """Show the token, a fresh one when the old one is running out."""
        del body
        with self._lock:
            token, until = self._tokens.get(self._key, ("", 0.0))
        if not token or time.monotonic() >= until:
            token, seconds = self._fetched()
            until = time.monotonic() + max(0.0, seconds - RENEW_BEFORE_SECONDS)
            with self._lock:
                if len(self._tokens) >= TOKENS_MAX:
                    self._tokens.clear()
                self._tokens[self._key] = (token, until)
        return {"Authorization": f"Bearer {token}"}

    def forget(self) -> bool:
        """Drop the token: the bank does not take it any more."""
        with self._lock:
            return self._tokens.pop(self._key, None) is not None

    def _fetched(self) -> tuple[str, float]:
        wish = {"grant_type": "client_credentials"}
        if self._line.token_scope:
            wish["scope"] = self._line.token_scope
        who = httpx.BasicAuth(self._line.username, self._line.secret)
        try:
            with self._client.stream("POST", self._line.token_url, data=wish, auth=who) as answer:
                content = bytearray()
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > TOKEN_BYTES_MAX:
                        raise TokenRefused("The bank's token does not end.")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = f"The bank's token address cannot be reached ({type(error).__name__})."
            raise TokenRefused(words) from error
        if status != HTTPStatus.OK:
            raise TokenRefused(f"The bank gives no token: it answers {status}.")
        return _token(bytes(content))


def _token(content: bytes) -> tuple[str, float]:
    try:
        answer = strict_json.loads(content)
    except Invalid:
        answer = None
    facts = answer if isinstance(answer, dict) else {}
    token, kind = facts.get("access_token"), str(facts.get("token_type", "bearer"))
    if not isinstance(token, str) or not token.isascii() or not token or kind.lower() != "bearer":
        raise TokenRefused("The bank's answer holds no bearer token.")
    try:
        seconds = float(facts.get("expires_in", TOKEN_SECONDS_DEFAULT))
    except (TypeError, ValueError):
        seconds = TOKEN_SECONDS_DEFAULT
    return token, min(max(seconds, 0.0), TOKEN_SECONDS_MAX)


def access_of(line: LineSettings, client: httpx.Client) -> Access:
    """Return how this line proves who calls."""
    if line.access == "OAUTH2":
        return ClientCredentials(line, client)
    return Certificate() if line.access == "MTLS" else Signature(line.secret)


@functools.cache
def usual_trust() -> ssl.SSLContext:
    """Return the trust in public authorities, read once: that takes 20 ms of processor time."""
    return httpx.create_ssl_context(trust_env=False)


def encryption_of(line: LineSettings) -> ssl.SSLContext:
    """Return whom the line trusts, and the certificate that it shows.

    Raises:
        Unreachable: a certificate or key of the line cannot be used.
    """
    if not line.server_trust and line.access != "MTLS":
        return usual_trust()
    try:
        context = ssl.create_default_context(cadata=line.server_trust or None)
        if line.access == "MTLS":
            _show_certificate(context, line)
    except (ssl.SSLError, ValueError) as error:
        words = getattr(error, "reason", None) or type(error).__name__
        raise Unreachable(f"The line's certificate or key cannot be used: {words}.") from error
    return context


def _show_certificate(context: ssl.SSLContext, line: LineSettings) -> None:
    # The standard library reads keys from files only; this one is private and gone at once.
    with tempfile.TemporaryDirectory(prefix="tms-line-") as folder:
        path = Path(folder) / "line.pem"
        path.touch(mode=0o600)
        path.write_text(f"{line.client_certificate}\n{line.secret}\n", "ascii")
        context.load_cert_chain(path, password="")
