"""What records and decides many at once asks for its keys by index, before the commit."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [("treasury", "0011_accounts_indexed_once")]

    operations = [migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop)]
