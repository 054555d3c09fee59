"""The bank's own small authority: a certificate for its door, and one for its customer."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 3_650
FOLDER = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def prepare(home: Path, *, now: float) -> Path:
    """Make `tls/` below the home unless it is there: authority, door, customer."""
    folder = home / FOLDER
    if (folder / "customer.key").exists():
        return folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = datetime.fromtimestamp(now, UTC)
    authority = _issue("Sandbox Bank Authority", moment, None)
    door = _issue("localhost", moment, authority)
    customer = _issue("treasury", moment, authority)
    for name, content in (
        ("authority.pem", authority.pem),
        ("door.pem", door.pem + door.key_pem),
        ("customer.pem", customer.pem),
        ("customer.key", customer.key_pem),
    ):
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
    return folder


def door_context(folder: Path) -> ssl.SSLContext:
    """Return the encryption of a door that only our customer can open."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "door.pem")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _issue(name: str, moment: datetime, signer: Issued | None) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    local: Any = [x509.DNSName("localhost"), x509.DNSName(name.replace(" ", "-").lower())]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(local), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .sign(signer.key if signer else key, hashes.SHA256())
    )
    return Issued(certificate=certificate, key=key)
