"""OAuth2 client credentials: tokens that live a few minutes, in the memory of the bank."""

import base64
import binascii
import hmac
import secrets
import threading
import time

from integrations.sandbox_bank.records import BankError

CLIENT_ID = "treasury"
TOKEN_SECONDS = 300
TOKENS_MAX = 1_000


class TokenDesk:
    """Gives tokens out to whoever knows the secret."""

    def __init__(self, secret: str, *, seconds: int = TOKEN_SECONDS) -> None:
        self._secret, self.seconds = secret, seconds
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def give(self, authorization: str) -> dict[str, object]:
        """Return a new token for HTTP basic credentials.

        Raises:
            BankError: they are not ours.
        """
        wanted = f"{CLIENT_ID}:{self._secret}".encode()
        scheme, _, encoded = authorization.partition(" ")
        try:
            shown = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            shown = b""
        is_known = bool(self._secret) and scheme.lower() == "basic"
        if not is_known or not hmac.compare_digest(shown, wanted):
            raise BankError("invalid_client", "unknown client or wrong secret", status=401)
        token = secrets.token_urlsafe(32)
        with self._lock:
            if len(self._until) >= TOKENS_MAX:
                self._until.clear()
            self._until[token] = time.monotonic() + self.seconds
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.seconds}

    def knows(self, authorization: str) -> bool:
        """Tell whether a request shows a token that still counts."""
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            return scheme == "Bearer" and self._until.get(token, 0.0) > time.monotonic()
