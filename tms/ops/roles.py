"""Connection strings of the database roles, for operators' tools."""

from urllib.parse import quote, urlencode

from django.db import connection

from tms.run.addresses import DatabaseAddress
from tms.run.config import runtime


def connection_strings() -> dict[str, str]:
    """Return role name → connection URL, for the database that this process uses."""
    known = runtime()
    name = str(connection.settings_dict["NAME"])
    return {"owner": as_url(known.owner, name), "app": as_url(known.app, name)}


def as_url(address: DatabaseAddress, name: str) -> str:
    """Return a URL that libpq, psycopg and most other clients understand.

    A socket directory cannot stand before the path, so the host is a parameter.
    """
    person = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
    places = {"host": address.host, "port": address.port, **address.options}
    return f"postgresql://{person}@/{quote(name, safe='')}?{urlencode(places, quote_via=quote)}"
