"""The payments of the last 24 hours are read once for all limits, not once for each."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [("treasury", "0200_files_of_orders")]

    operations = [migrations.RunSQL(guards.QUESTIONS, migrations.RunSQL.noop)]
