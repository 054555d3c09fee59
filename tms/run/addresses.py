"""Where servers are to be found: worked out from a URL or from the home folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tms.run.errors import ConfigError
from tms.run.places import postgres_root, socket_folder

PORT = "5432"  # names the socket file; nothing listens on TCP
SUPERUSER = "postgres"
POSTGRES_SOCKET = f".s.PGSQL.{PORT}"
VALKEY_SOCKET = "valkey.sock"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DatabaseAddress:
    """How to reach one database as one role."""

    host: str
    port: str
    name: str
    user: str
    password: str
    options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.user}@{self.host}:{self.port}/{self.name})"

    @property
    def conninfo(self) -> str:
        return make_conninfo(
            host=self.host,
            port=self.port,
            dbname=self.name,
            user=self.user,
            password=self.password,
            **self.options,
        )

    def as_role(self, *, user: str, password: str, name: str | None = None) -> DatabaseAddress:
        return DatabaseAddress(
            host=self.host,
            port=self.port,
            name=name or self.name,
            user=user,
            password=password,
            options=self.options,
        )

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a `postgresql://` URL or a libpq connection string.

        Raises:
            ConfigError: it cannot be read, or names no host, database or user.
        """
        try:
            parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        except ProgrammingError as problem:
            raise ConfigError("TMS_DATABASE_URL is not a PostgreSQL connection URL.") from problem
        absent = [key for key in ("host", "dbname", "user") if not parts.get(key)]
        if absent:
            raise ConfigError(f"TMS_DATABASE_URL lacks {', '.join(absent)}.")
        return cls(
            host=parts.pop("host"),
            port=parts.pop("port", "5432"),
            name=parts.pop("dbname"),
            user=parts.pop("user"),
            password=parts.pop("password", ""),
            options=parts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddresses:
    """Where the embedded servers listen; known before they run."""

    host: str  # the folder of PostgreSQL's socket
    port: str
    superuser: str
    redis_url: str
    celery_url: str

    def administrator(self, password: str) -> DatabaseAddress:
        return DatabaseAddress(
            host=self.host,
            port=self.port,
            name="postgres",
            user=self.superuser,
            password=password,
            options={},
        )


def embedded_addresses(home: Path) -> ServerAddresses:
    """Work out the addresses from the home alone, so that any shell finds them."""
    valkey = socket_folder(home / "valkey", VALKEY_SOCKET) / VALKEY_SOCKET
    return ServerAddresses(
        host=str(socket_folder(postgres_root(home) / "socket", POSTGRES_SOCKET)),
        port=PORT,
        superuser=SUPERUSER,
        redis_url=f"unix://{valkey}",
        celery_url=f"redis+socket://{valkey}",
    )
