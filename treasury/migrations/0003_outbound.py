"""A payment order leaves for an approved transfer only."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [("treasury", "0002_walls"), ("integrations", "0002_walls")]

    operations = [migrations.RunSQL(guards.OUTBOUND, migrations.RunSQL.noop)]
