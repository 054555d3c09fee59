"""Take turns where rows cannot be locked because they do not exist yet."""

from django.db import connection

from core.tenancy import current_tenant_id


def take_turn(subject: str) -> None:
    """Hold `subject` of the bound tenant until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"fx:{current_tenant_id()}:{subject}"],
        )
