"""Two hands for every override of a rail's window, and the question whether a day is open."""

from django.db import migrations

from calendars import guards


class Migration(migrations.Migration):
    dependencies = [("calendars", "0004_four_eyes"), ("core", "0004_four_eyes")]

    operations = [
        migrations.RunSQL(guards.QUESTIONS + guards.OVERRIDES, migrations.RunSQL.noop),
    ]
