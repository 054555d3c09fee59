"""What the environment says: one frozen value for the runner, one for the Django settings."""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values

from tms.run.addresses import DatabaseAddress, embedded_addresses
from tms.run.errors import ConfigError
from tms.run.places import make_home

PROJECT = Path(__file__).resolve().parents[2]
SECRET_BYTES_MIN = 32
PORT_MAX = 65535
DATABASE_NAME = "tms"
OWNER_ROLE = "tms_owner"
APP_ROLE = "tms_app"
MODES = ("local", "test", "production")

Role = Literal["app", "owner"]

SECRET_VARIABLES: Mapping[str, str] = {
    "django_secret_key": "TMS_SECRET_KEY",
    "field_key": "TMS_FIELD_KEY",
    "index_key": "TMS_INDEX_KEY",
    "audit_anchor_key": "TMS_AUDIT_ANCHOR_KEY",
    "audit_signing_key": "TMS_AUDIT_SIGNING_KEY",
    "jwt_key": "TMS_JWT_KEY",
    "webhook_key": "TMS_WEBHOOK_KEY",
    "db_superuser_password": "TMS_DB_SUPERUSER_PASSWORD",
    "db_owner_password": "TMS_DB_OWNER_PASSWORD",
    "db_app_password": "TMS_DB_APP_PASSWORD",
    "bank_http_secret": "TMS_BANK_HTTP_SECRET",
}
RAW_KEYS = ("field_key", "audit_signing_key")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secrets:
    """Every secret of an installation; those of `RAW_KEYS` are base64 of exactly 32 bytes."""

    django_secret_key: str
    field_key: str
    index_key: str
    audit_anchor_key: str
    audit_signing_key: str
    jwt_key: str
    webhook_key: str
    db_superuser_password: str
    db_owner_password: str
    db_app_password: str
    bank_http_secret: str

    def __repr__(self) -> str:
        return "Secrets(...)"

    def __post_init__(self) -> None:
        """Refuse short secrets and raw keys of another length."""
        for name, variable in SECRET_VARIABLES.items():
            value: str = getattr(self, name)
            least = 1 if name.startswith("db_") else SECRET_BYTES_MIN
            if len(value.encode()) < least:
                raise ConfigError(f"{variable} ({name}) must have at least {least} bytes.")
        for name in RAW_KEYS:
            try:
                key = base64.b64decode(getattr(self, name), validate=True)
            except binascii.Error as problem:
                raise ConfigError(f"{SECRET_VARIABLES[name]} ({name}) must be base64.") from problem
            if len(key) != SECRET_BYTES_MIN:
                raise ConfigError(
                    f"{SECRET_VARIABLES[name]} ({name}) must be {SECRET_BYTES_MIN} bytes in base64."
                )

    @classmethod
    def load(cls, home: Path, environ: Mapping[str, str]) -> Self:
        """Read the home's secrets file, made on first use; the environment wins.

        Raises:
            ConfigError: the file is readable for others or damaged, or a secret is too short.
        """
        given = {name: environ[v] for name, v in SECRET_VARIABLES.items() if environ.get(v)}
        return cls(**{**_stored_secrets(home), **given})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Where this installation lives and what it is asked to use."""

    project: Path
    home: Path
    host: str
    port: int
    bank_port: int
    mode: str
    web_workers: int
    demo: bool
    database_url: str | None
    redis_url: str | None
    positions_topic: str

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment over the project's `.env`.

        Raises:
            ConfigError: a value cannot be used.
        """
        known = effective_environment(os.environ if environ is None else environ)
        mode = known.get("TMS_MODE") or "local"
        if mode not in MODES:
            raise ConfigError(f"TMS_MODE is one of {', '.join(MODES)}, not {mode!r}.")
        home = Path(known.get("TMS_HOME") or PROJECT / ".tms").expanduser()
        return cls(
            project=PROJECT,
            home=home if home.is_absolute() else PROJECT / home,
            host=known.get("TMS_HOST") or "127.0.0.1",
            port=_number(known, "TMS_PORT", default=8000, maximum=PORT_MAX),
            bank_port=_number(known, "TMS_BANK_PORT", default=8100, maximum=PORT_MAX),
            mode=mode,
            web_workers=_number(known, "TMS_WEB_WORKERS", default=1, maximum=64),
            demo=_switch(known, "TMS_DEMO", default=mode == "local"),
            database_url=known.get("TMS_DATABASE_URL") or None,
            redis_url=known.get("TMS_REDIS_URL") or None,
            positions_topic=known.get("TMS_POSITIONS_TOPIC") or "",
        )

    def secrets(self, environ: Mapping[str, str] | None = None) -> Secrets:
        return Secrets.load(
            self.home, effective_environment(os.environ if environ is None else environ)
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything the Django settings need to know; computed, nothing is started."""

    config: RunConfig
    secrets: Secrets
    role: Role
    admin: DatabaseAddress
    owner: DatabaseAddress
    app: DatabaseAddress
    redis_base: str

    @property
    def database(self) -> DatabaseAddress:
        """The address for the role that this process was told to use."""
        return self.owner if self.role == "owner" else self.app

    @property
    def home(self) -> Path:
        return self.config.home

    @property
    def mode(self) -> str:
        return self.config.mode

    def redis_url(self, number: int = 0) -> str:
        """The URL for redis-py and channels; `number` picks the logical database."""
        parts = urlsplit(self.redis_base)
        if parts.scheme == "unix":
            return f"{self.redis_base}?db={number}"
        return urlunsplit((parts.scheme, parts.netloc, f"/{number}", parts.query, ""))

    def broker_url(self, number: int = 0) -> str:
        """The same server in the form that Celery understands."""
        parts = urlsplit(self.redis_base)
        if parts.scheme == "unix":
            return f"redis+socket://{parts.path}?virtual_host={number}"
        return self.redis_url(number)


def runtime(environ: Mapping[str, str] | None = None) -> Runtime:
    """Say where the servers are and which role to use, whether or not they run yet.

    Raises:
        ConfigError: a setting cannot be used.
    """
    known = effective_environment(os.environ if environ is None else environ)
    config = RunConfig.load(known)
    secrets = Secrets.load(config.home, known)
    role = known.get("TMS_DB_ROLE") or "app"
    if role not in ("app", "owner"):
        raise ConfigError(f"TMS_DB_ROLE is app or owner, not {role!r}.")
    servers = embedded_addresses(config.home)
    if config.database_url:
        admin = DatabaseAddress.parse(config.database_url)
        name = admin.name
    else:
        admin = servers.administrator(secrets.db_superuser_password)
        name = DATABASE_NAME
    return Runtime(
        config=config,
        secrets=secrets,
        role="owner" if role == "owner" else "app",
        admin=admin,
        owner=admin.as_role(user=OWNER_ROLE, password=secrets.db_owner_password, name=name),
        app=admin.as_role(user=APP_ROLE, password=secrets.db_app_password, name=name),
        redis_base=config.redis_url or servers.redis_url,
    )


def effective_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment over `.env`; TMS_ENV_FILE names another file, or none when empty."""
    file = environ.get("TMS_ENV_FILE", str(PROJECT / ".env"))
    if not file or not Path(file).is_file():
        return dict(environ)
    stored = {key: value for key, value in dotenv_values(file).items() if value is not None}
    return {**stored, **environ}


def _number(environ: Mapping[str, str], name: str, *, default: int, maximum: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= maximum:
        raise ConfigError(f"{name} must be a whole number from 1 to {maximum}, not {text!r}.")
    return int(text)


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environ.get(name) or ("1" if default else "0")
    if text not in ("0", "1"):
        raise ConfigError(f"{name} is 1 or 0, not {text!r}.")
    return text == "1"


def _stored_secrets(home: Path) -> dict[str, str]:
    """Read the file, or make what is missing, one process at a time."""
    make_home(home)
    path = home / "secrets.json"
    with (home / "secrets.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stored = _read_secrets(path) if path.exists() else {}
        missing = [field.name for field in fields(Secrets) if field.name not in stored]
        if missing:
            stored |= {name: _new_secret(name) for name in missing}
            _write_secrets(path, stored)
    return stored


def _read_secrets(path: Path) -> dict[str, str]:
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} is readable for others: chmod 600 it, and consider new secrets.")
    try:
        stored = json.loads(path.read_text())
    except ValueError as problem:
        raise ConfigError(f"{path} is damaged; restore it from your backup.") from problem
    if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
        raise ConfigError(f"{path} is damaged; restore it from your backup.")
    names = {field.name for field in fields(Secrets)}
    return {name: value for name, value in stored.items() if name in names}


def _new_secret(name: str) -> str:
    if name in RAW_KEYS:
        return base64.b64encode(randomness.token_bytes(SECRET_BYTES_MIN)).decode()
    return randomness.token_urlsafe(48)


def _write_secrets(path: Path, stored: Mapping[str, str]) -> None:
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(stored, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
