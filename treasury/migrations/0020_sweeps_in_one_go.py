"""Sweeps in fewer statements: what is decided, and what is refused, stays the same."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [("treasury", "0008_count_together")]

    operations = [
        migrations.RunSQL(guards.SWEEPS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
