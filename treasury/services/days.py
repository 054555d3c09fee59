"""The sums per day: kept by the database; added up anew only when somebody asks for it."""

from typing import Final

from django.db import connection, transaction

REBUILDING_TIMEOUT: Final = "3600s"


@transaction.atomic
def rebuild_days() -> int:
    """Add all sums per day of the bound tenant up from its entries; return how many days.

    Nobody writes entries while it runs.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [REBUILDING_TIMEOUT])
        cursor.execute("SELECT treasury_rebuild_days()")
        return int(cursor.fetchone()[0])
