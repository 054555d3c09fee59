"""What is prepared stays prepared from test to test, until a test lets it be forgotten."""

import pytest
from django.db import connection, transaction

from tests import plans

ASKED = "SELECT count(*) FROM core_tenant WHERE slug = %s"
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%core_tenant WHERE%'"


def asked_often() -> None:
    with connection.cursor() as cursor:
        for _ in range(5):
            cursor.execute(ASKED, ["north"])


def prepared() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # what is forgotten goes with the next statement
        cursor.execute(PREPARED)
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.usefixtures("db")
def test_a_statement_stays_prepared_over_a_rollback_until_it_is_forgotten() -> None:
    plans.forget(connection)
    assert prepared() == 0
    with transaction.atomic():
        asked_often()
        transaction.set_rollback(True)
    asked_often()
    assert prepared() == 1
    plans.forget(connection)
    assert prepared() == 0
