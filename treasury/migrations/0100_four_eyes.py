"""Companies, banks and accounts come under four eyes."""

from django.db import migrations

from core.changes.operations import Governed


class Migration(migrations.Migration):
    dependencies = [("treasury", "0006_controls"), ("core", "0004_four_eyes")]

    operations = [
        Governed("treasury_legalentity"),
        Governed("treasury_bank"),
        Governed(
            "treasury_bankaccount", sealed=("number",), stamped=("changed_at", "changed_by_id")
        ),
    ]
