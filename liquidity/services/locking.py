"""Take turns where rows cannot be locked because they do not exist yet.

Two batches that bring the same reference, or two forecasts of one account at the same time, would
both find nothing and both write. They queue here instead, until the first one's transaction ends.
"""

from django.db import connection

from core.tenancy import current_tenant_id


def take_turn(subject: str) -> None:
    """Hold `subject` of the bound tenant until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"liquidity:{current_tenant_id()}:{subject}"],
        )
