"""The seal of an order, as the database computes it: the one place that knows how."""

from django.db import connection


def order_seal(*, body: bytes, message_reference: str, uetr: str) -> str:
    """Return the digest of an order without what belongs to the single attempt to send it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_order_seal(%s::bytea, %s, %s)", [body, message_reference, uetr]
        )
        row = cursor.fetchone()
    return str(row[0])
