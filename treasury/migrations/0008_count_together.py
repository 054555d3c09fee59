"""Several payments of one transaction take the locks that count them in one order."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [("treasury", "0007_flow_by_reference")]

    operations = [migrations.RunSQL(guards.QUESTIONS, migrations.RunSQL.noop)]
