"""Field encryption (AES-256-GCM) and blind indexes, with keys from the settings' key provider."""

import base64
import hmac
import os
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

_PREFIX: Final = "v1:"
_NONCE_BYTES: Final = 12


class Undecipherable(ValueError):
    """A stored value was not written with this key, or was changed or moved to another column."""


def encrypt(plain: str, *, context: str) -> str:
    """Return `plain` sealed for `context` (table.column): a copy elsewhere will not open."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(settings.TMS_FIELD_KEY).encrypt(nonce, plain.encode(), context.encode())
    return _PREFIX + base64.b64encode(nonce + sealed).decode()


def decrypt(stored: str, *, context: str) -> str:
    """Open what `encrypt` sealed for the same context.

    Raises:
        Undecipherable: wrong key, wrong place or changed bytes.
    """
    try:
        raw = base64.b64decode(stored.removeprefix(_PREFIX), validate=True)
        opened = AESGCM(settings.TMS_FIELD_KEY).decrypt(
            raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()
        )
    except (InvalidTag, ValueError) as error:
        raise Undecipherable(f"A value in {context} cannot be deciphered.") from error
    return opened.decode()


def blind_index(text: str) -> str:
    """Return a keyed digest of `text` (spaces and case ignored) for exact look-ups."""
    normal = "".join(text.split()).upper()
    return hmac.new(settings.TMS_INDEX_KEY.encode(), normal.encode(), sha256).hexdigest()


class Sealed(str):
    """A value that is ciphertext already, of this very column: it is stored as it is."""

    __slots__ = ()


class EncryptedTextField(models.TextField[str, str]):
    """Text that only this application can read; the database holds AES-256-GCM ciphertext."""

    def context(self) -> str:
        """Return what a value of this column is sealed for; its history shares it."""
        return f"{self.model._meta.db_table.replace('historical', '')}.{self.column}"

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        """Decrypt on the way out."""
        return decrypt(value, context=self.context()) if value else value

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way in."""
        if isinstance(value, Sealed):
            return str(value)
        value = super().get_prep_value(value)
        return encrypt(str(value), context=self.context()) if value else value
