"""Connections as they shall be: what may be entered, and what would be unsafe."""

from dataclasses import dataclass, field, fields
from datetime import time
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncssh
from cryptography import x509
from django.db import transaction

from integrations import selectors
from integrations.channels.opening import NOT_AVAILABLE
from integrations.errors import LineMisconfigured
from integrations.models import AccessKind, BankConnection, ConnectionKind

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_HTTP_ACCESS: Final = ("", AccessKind.SIGNATURE, AccessKind.OAUTH2, AccessKind.MTLS)
_SFTP_ACCESS: Final = (AccessKind.PASSWORD, AccessKind.KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionIn:
    """A connection as it shall be; an empty secret keeps the present one."""

    code: str
    name: str
    kind: str
    directory: str = ""
    base_url: str = ""
    outbound_path: str = "outbound"
    inbound_path: str = "inbound"
    access: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    client_certificate: str = field(default="", repr=False)
    server_trust: str = field(default="", repr=False)
    token_url: str = ""
    token_scope: str = ""
    connect_timeout_seconds: int = 5
    read_timeout_seconds: int = 10
    rate_per_minute: int = 600
    retries_max: int = 20
    backoff_first_seconds: int = 2
    backoff_seconds_max: int = 60
    circuit_failures_max: int = 5
    circuit_open_seconds: int = 30
    poll_seconds: int = 0
    collect_zone: str = "UTC"
    collect_weekdays: str = "1234567"
    collect_opens_at: time | None = None
    collect_closes_at: time | None = None
    is_test_line: bool = False
    is_active: bool = True
    profile: str = ""


# What is stored as it was entered; the other three need a look-up or are kept when left empty.
PLAIN_SETTINGS: Final = tuple(
    one.name for one in fields(ConnectionIn) if one.name not in ("code", "secret", "profile")
)


@transaction.atomic
def save_connection(*, wish: ConnectionIn) -> BankConnection:
    """Create the connection of this code, or bring it up to date.

    Raises:
        LineMisconfigured: something does not fit the kind, or would send secrets in the clear.
        ProfileUnknown: no active profile has the code that is named.
    """
    check_connection(wish=wish)
    found = BankConnection.objects.select_for_update().filter(code=wish.code).first()
    connection = found or BankConnection(code=wish.code)
    for name in PLAIN_SETTINGS:
        setattr(connection, name, getattr(wish, name))
    if wish.secret:
        connection.secret = wish.secret
    connection.profile = selectors.profile_named(wish.profile) if wish.profile else None
    connection.save()
    return connection


def check_connection(*, wish: ConnectionIn) -> None:
    """Refuse settings that cannot work or are not safe.

    Raises:
        LineMisconfigured: with the field.
    """
    _check_nothing_is_secret(wish)
    _check_timetable(wish)
    if wish.kind == ConnectionKind.FOLDER:
        _check_folder(wish)
    elif wish.kind == ConnectionKind.SFTP:
        _check_sftp(wish)
    elif wish.kind == ConnectionKind.HTTP:
        _check_http(wish)
    else:
        message = NOT_AVAILABLE.get(wish.kind, f"There are no {wish.kind} lines.")
        raise LineMisconfigured(message, field="kind")


def _check_nothing_is_secret(wish: ConnectionIn) -> None:
    """Keep private keys out of what is shown, and kept for ever in history and audit trail."""
    for name in ("client_certificate", "server_trust"):
        if "PRIVATE KEY" in getattr(wish, name).upper():
            message = "This holds a private key: enter the key on its own as the secret."
            raise LineMisconfigured(message, field=name)


def _check_folder(wish: ConnectionIn) -> None:
    if not wish.directory.startswith("/") or ".." in wish.directory.split("/") or wish.base_url:
        message = "A folder line needs an absolute directory and no address."
        raise LineMisconfigured(message, field="directory")
    if wish.access:
        raise LineMisconfigured("A folder line proves nothing: leave this empty.", field="access")
    _check_trays(wish)


def _check_trays(wish: ConnectionIn) -> None:
    for name in ("outbound_path", "inbound_path"):
        steps = getattr(wish, name).split("/")
        if any(step in ("", ".", "..") or step.startswith(".") for step in steps):
            message = "A tray is a folder below the line's own, such as to-bank or out/payments."
            raise LineMisconfigured(message, field=name)
    if wish.outbound_path == wish.inbound_path:
        message = "The two trays are different folders."
        raise LineMisconfigured(message, field="inbound_path")


def _check_sftp(wish: ConnectionIn) -> None:
    parts = _address(wish.base_url, schemes=("sftp",), field_name="base_url")
    if wish.directory or ".." in parts.path.split("/"):
        message = "An SFTP line needs an address such as sftp://host:22/home and no directory."
        raise LineMisconfigured(message, field="base_url")
    if wish.access not in _SFTP_ACCESS or not wish.username:
        message = "An SFTP line needs a user with a password or a private key."
        raise LineMisconfigured(message, field="access" if wish.username else "username")
    try:
        asyncssh.import_public_key(wish.server_trust)
    except asyncssh.KeyImportError as error:
        message = "The server's public host key is needed, one line like ssh-ed25519 AAAA…"
        raise LineMisconfigured(message, field="server_trust") from error
    if wish.secret and wish.access == AccessKind.KEY:
        try:
            asyncssh.import_private_key(wish.secret)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            message = "This is not a private key, or it is under a passphrase."
            raise LineMisconfigured(message, field="secret") from error
    _check_trays(wish)


def _check_http(wish: ConnectionIn) -> None:
    parts = _address(wish.base_url, schemes=("http", "https"), field_name="base_url")
    if wish.directory:
        message = "An HTTP line needs an http(s) address and no directory."
        raise LineMisconfigured(message, field="base_url")
    if wish.access not in _HTTP_ACCESS:
        message = "HTTP lines sign, use OAuth2, or show a certificate."
        raise LineMisconfigured(message, field="access")
    if wish.access == AccessKind.OAUTH2:
        _address(wish.token_url, schemes=("http", "https"), field_name="token_url")
        if not wish.username:
            raise LineMisconfigured("OAuth2 needs a client id.", field="username")
    if wish.access == AccessKind.MTLS and parts.scheme != "https":
        message = "A client certificate is shown over https only."
        raise LineMisconfigured(message, field="base_url")
    if wish.access == AccessKind.MTLS or wish.client_certificate:
        _check_certificates(wish.client_certificate, field_name="client_certificate")
    if wish.server_trust:
        _check_certificates(wish.server_trust, field_name="server_trust")


def _address(text: str, *, schemes: tuple[str, ...], field_name: str) -> SplitResult:
    """Return an address in its parts.

    Raises:
        LineMisconfigured: none, of another scheme, with more in it than place, or in the clear.
    """
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_usable = urlsplit(""), False
    if not is_usable:
        message = f"An address that begins with {' or '.join(schemes)} is needed."
        raise LineMisconfigured(message, field=field_name)
    if parts.username or parts.query or parts.fragment:
        message = "The address holds no user name, query or fragment."
        raise LineMisconfigured(message, field=field_name)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        message = "Payments leave this machine over https only."
        raise LineMisconfigured(message, field=field_name)
    return parts


def _check_certificates(text: str, *, field_name: str) -> None:
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        message = "A certificate in PEM is needed (-----BEGIN CERTIFICATE-----)."
        raise LineMisconfigured(message, field=field_name) from error


def _check_timetable(wish: ConnectionIn) -> None:
    try:
        ZoneInfo(wish.collect_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "A time zone has a name like Europe/London."
        raise LineMisconfigured(message, field="collect_zone") from error
    days = wish.collect_weekdays
    if not days or set(days) - set("1234567") or len(set(days)) != len(days):
        message = "Weekdays are digits from 1 (Monday) to 7, each once."
        raise LineMisconfigured(message, field="collect_weekdays")
    if (wish.collect_opens_at is None) != (wish.collect_closes_at is None):
        message = "Hours have a beginning and an end, or neither."
        raise LineMisconfigured(message, field="collect_closes_at")
