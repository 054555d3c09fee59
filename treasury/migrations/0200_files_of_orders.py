"""Files of several orders: each is compared with what was approved, twice."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0042_files_guarded"),
        ("treasury", "0191_sweeps"),
    ]

    operations = [migrations.RunSQL(guards.BATCHES, migrations.RunSQL.noop)]
