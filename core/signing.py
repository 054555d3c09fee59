"""Signatures that others can check: JWS (RFC 7515) with keys from a provider, published as JWKS.

The payload is signed as it is, byte for byte. Providers: a folder of keys (default), the
environment, or a transit engine that speaks Vault's HTTP API and never hands a private key out.
Keys rotate with overlap: a retired one stays published until its orders have run out.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from django.conf import settings

from core import clock
from core.errors import DomainError

ES256, EDDSA = "ES256", "EdDSA"
ALGORITHMS: Final = (ES256, EDDSA)
PUBLIC_MEMBERS: Final = ("kty", "crv", "x", "y", "kid", "alg", "use")
P256_BYTES: Final = 32
# Longer than any order lives: what an old key signed can be checked until it has run out.
PUBLISHED_AFTER_RETIREMENT: Final = timedelta(days=7)
VAULT_TIMEOUT_SECONDS: Final = 3.0
Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Public = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class SignerUnavailable(DomainError):
    """No key can sign now; the same may be tried again."""

    code = "signer_unavailable"
    status = 503


class SignatureRefused(DomainError):
    """The signature is not one of ours, or not for this."""

    code = "signature_refused"
    status = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A JWS in compact form, and the key that signed it."""

    compact: str
    key_id: str


class Provider(Protocol):
    """Where keys are. `sign` returns the raw signature as JWS wants it."""

    def current(self) -> tuple[str, str]:
        """Return id and algorithm of the key that signs now."""
        ...

    def sign(self, key_id: str, data: bytes) -> bytes:
        """Sign bytes with a key."""
        ...

    def published(self) -> Sequence[dict[str, str]]:
        """Return the public keys that verify what stands, as JSON Web Keys."""
        ...


def encoded(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return the bytes of base64url without padding.

    Raises:
        SignatureRefused: it is none.
    """
    try:
        return base64.b64decode(
            (text + "=" * (-len(text) % 4)).encode("ascii"), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise SignatureRefused("This is not base64url.") from error


def sign_compact(payload: bytes, *, header: Mapping[str, Any]) -> Token:
    """Sign `payload` with the present key; algorithm and key id join the protected header.

    Raises:
        SignerUnavailable: the provider cannot sign now.
    """
    signer = provider()
    key_id, algorithm = signer.current()
    full = {"alg": algorithm, "kid": key_id, **header}
    head = json.dumps(full, separators=(",", ":")).encode()
    data = f"{encoded(head)}.{encoded(payload)}"
    signature = signer.sign(key_id, data.encode())
    return Token(compact=f"{data}.{encoded(signature)}", key_id=key_id)


def verify_compact(compact: str, *, at: datetime, typ: str) -> tuple[dict[str, Any], bytes]:
    """Return header and payload of a JWS of ours that has not run out.

    The algorithm is the key's own, whatever the header claims beyond it.

    Raises:
        SignatureRefused: form, type, key, algorithm, signature or time do not hold.
    """
    parts = compact.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise SignatureRefused("A compact JWS has three parts.")
    try:
        header = json.loads(decoded(parts[0]))
    except ValueError as error:
        raise SignatureRefused("The header is not JSON.") from error
    keys = {key["kid"]: key for key in provider().published()}
    key = keys.get(str(header.get("kid"))) if isinstance(header, dict) else None
    if key is None or header.get("alg") != key["alg"] or header.get("typ") != typ:
        raise SignatureRefused("Unknown key, or another algorithm or type.")
    _verify(key, f"{parts[0]}.{parts[1]}".encode(), decoded(parts[2]))
    if not isinstance(header.get("exp"), int) or at.timestamp() >= header["exp"]:
        raise SignatureRefused("The signature has run out.")
    return header, decoded(parts[1])


def _verify(key: Mapping[str, str], data: bytes, signature: bytes) -> None:
    try:
        if key["alg"] == EDDSA:
            ed25519.Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(signature, data)
            return
        if len(signature) != 2 * P256_BYTES:
            raise SignatureRefused("The signature does not hold.")
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(decoded(key["x"])), int.from_bytes(decoded(key["y"])), ec.SECP256R1()
        )
        r, s = (int.from_bytes(signature[at : at + P256_BYTES]) for at in (0, P256_BYTES))
        numbers.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureRefused("The signature does not hold.") from error


def public_jwk(key: Public, *, key_id: str = "") -> dict[str, str]:
    """Return a public key as JSON Web Key (RFC 7517); its id is its thumbprint (RFC 7638)."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        core = {"crv": "Ed25519", "kty": "OKP", "x": encoded(raw)}
    else:
        numbers = key.public_numbers()
        x, y = (encoded(one.to_bytes(P256_BYTES)) for one in (numbers.x, numbers.y))
        core = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    canonical = json.dumps(core, sort_keys=True, separators=(",", ":")).encode()
    name = key_id or encoded(sha256(canonical).digest())
    algorithm = EDDSA if core["kty"] == "OKP" else ES256
    return {**core, "kid": name, "alg": algorithm, "use": "sig"}


def _raw_signature(key: Private, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(P256_BYTES) + s.to_bytes(P256_BYTES)


def load_private(pem: bytes) -> Private:
    """Read a private key for ES256 or EdDSA.

    Raises:
        SignerUnavailable: it is no such key.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise SignerUnavailable("The signing key cannot be read.") from error
    is_p256 = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if is_p256 and isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    raise SignerUnavailable("The signing key is neither Ed25519 nor on P-256.")


def new_private(algorithm: str = ES256) -> bytes:
    """Return a new private key as PEM."""
    key: Private = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm == EDDSA
        else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class FolderKeys:
    """Keys as files `<created>.pem`, readable by this system only; the newest one signs.

    The folder is given its first key when somebody first asks. A file's name tells when the next
    one took over, so that nothing else needs to be kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def current(self) -> tuple[str, str]:
        """Return the newest key's id and algorithm."""
        jwk = public_jwk(self._keys()[-1][1].public_key())
        return jwk["kid"], jwk["alg"]

    def sign(self, key_id: str, data: bytes) -> bytes:
        """Sign with one of the folder's keys.

        Raises:
            SignerUnavailable: it is not there.
        """
        for _, key in self._keys():
            if public_jwk(key.public_key())["kid"] == key_id:
                return _raw_signature(key, data)
        raise SignerUnavailable("This key is not in the folder.", kid=key_id)

    def published(self) -> Sequence[dict[str, str]]:
        """Return the newest key, and older ones that were replaced not long ago."""
        keys, since = self._keys(), clock.now() - PUBLISHED_AFTER_RETIREMENT
        kept = [
            key
            for place, (_, key) in enumerate(keys)
            if place == len(keys) - 1 or keys[place + 1][0] > since
        ]
        return [public_jwk(key.public_key()) for key in reversed(kept)]

    def rotate(self, algorithm: str = ES256) -> str:
        """Add a key that signs from now on; return its id."""
        pem = new_private(algorithm)
        self._write(pem)
        return public_jwk(load_private(pem).public_key())["kid"]

    def _write(self, pem: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{clock.now():%Y%m%dT%H%M%S%fZ}"
        draft = self._folder / f"{name}.{os.getpid()}.draft"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        draft.rename(self._folder / f"{name}.pem")

    def _keys(self) -> list[tuple[datetime, Private]]:
        if not any(self._folder.glob("*.pem")):
            self._write(new_private())
        found = []
        for path in sorted(self._folder.glob("*.pem")):
            created = datetime.strptime(path.stem + "+0000", "%Y%m%dT%H%M%S%fZ%z")
            found.append((created, load_private(path.read_bytes())))
        return found


class EnvironmentKeys:
    """One private key from the environment, with the public keys of those it replaced."""

    def __init__(self, pem: str, retired: Sequence[dict[str, str]] = ()) -> None:
        self._key = load_private(pem.encode())
        self._retired = retired

    def current(self) -> tuple[str, str]:
        """Return the key's id and algorithm."""
        jwk = public_jwk(self._key.public_key())
        return jwk["kid"], jwk["alg"]

    def sign(self, key_id: str, data: bytes) -> bytes:
        """Sign with the one key.

        Raises:
            SignerUnavailable: another one is asked for.
        """
        if key_id != self.current()[0]:
            raise SignerUnavailable("This key is not here.", kid=key_id)
        return _raw_signature(self._key, data)

    def published(self) -> Sequence[dict[str, str]]:
        """Return the key and those it replaced."""
        return [public_jwk(self._key.public_key()), *self._retired]


class TransitKeys:
    """A key in a transit engine: it signs there, and every version stays published."""

    def __init__(self, address: str, token: str, name: str) -> None:
        self._client = httpx.Client(
            base_url=address.rstrip("/") + "/v1/transit/",
            headers={"X-Vault-Token": token},
            timeout=VAULT_TIMEOUT_SECONDS,
        )
        self._name = name

    def current(self) -> tuple[str, str]:
        """Return the newest version's id and algorithm."""
        newest = self.published()[0]
        return newest["kid"], newest["alg"]

    def sign(self, key_id: str, data: bytes) -> bytes:
        """Have the engine sign with the version that the id names.

        Raises:
            SignerUnavailable: the engine does not answer, or not with a signature.
        """
        version = key_id.rpartition(":")[2]
        wish = {
            "input": base64.b64encode(data).decode(),
            "key_version": int(version),
            "hash_algorithm": "sha2-256",
            "marshaling_algorithm": "jws",
        }
        answer = self._asked("POST", f"sign/{self._name}", wish)
        text = str(answer.get("signature", "")).rpartition(":")[2]
        try:
            # An Ed25519 signature comes in plain base64, one on a curve as JWS wants it.
            return decoded(text.rstrip("=").replace("+", "-").replace("/", "_"))
        except SignatureRefused as error:
            raise SignerUnavailable("The key service answers without a signature.") from error

    def published(self) -> Sequence[dict[str, str]]:
        """Return every version's public key, the newest first.

        Raises:
            SignerUnavailable: the engine does not answer, or holds no such key.
        """
        answer = self._asked("GET", f"keys/{self._name}", None)
        try:
            versions = sorted(
                ((int(one), facts) for one, facts in answer["keys"].items()), reverse=True
            )
            return [
                public_jwk(
                    _transit_public(facts["public_key"]), key_id=f"transit:{self._name}:{number}"
                )
                for number, facts in versions
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SignerUnavailable("The key service says nothing of such a key.") from error

    def _asked(self, method: str, path: str, body: Any) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=body)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()["data"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise SignerUnavailable("The key service does not sign.") from error
        if not isinstance(found, dict):
            raise SignerUnavailable("The key service answers in another form.")
        return found


def _transit_public(text: str) -> Public:
    if not text.startswith("-----"):
        return ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(text))
    key = serialization.load_pem_public_key(text.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise SignerUnavailable("The key service holds a key of another kind.")
    return key


def _retired(text: str) -> list[dict[str, str]]:
    """Return the public members of replaced keys: a private one that was pasted stays here."""
    try:
        return [
            {name: str(key[name]) for name in PUBLIC_MEMBERS if name in key}
            for key in json.loads(text or "[]")
        ]
    except (TypeError, ValueError) as error:
        raise SignerUnavailable("TMS_SIGNING_RETIRED is a JSON list of public keys.") from error


def provider() -> Provider:
    """Return the configured provider.

    Raises:
        SignerUnavailable: none of that name, or its key is missing.
    """
    name = settings.TMS_SIGNING_PROVIDER
    if name == "environment":
        return EnvironmentKeys(settings.TMS_SIGNING_KEY, _retired(settings.TMS_SIGNING_RETIRED))
    if name == "transit":
        return TransitKeys(
            settings.TMS_TRANSIT_URL, settings.TMS_TRANSIT_TOKEN, settings.TMS_TRANSIT_KEY
        )
    if name == "folder":
        return FolderKeys(Path(settings.TMS_SIGNING_DIR))
    raise SignerUnavailable(f"{name} is no provider of signing keys.")


def key_set() -> dict[str, Any]:
    """Return what verifies our signatures, as a JSON Web Key Set.

    Raises:
        SignerUnavailable: the provider does not answer.
    """
    return {"keys": list(provider().published())}
