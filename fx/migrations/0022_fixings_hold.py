"""The fixing of a day holds for all of its deals at every commit; legs move their deals at once.

A day that was fixed keeps a fixing in force, the first one is that of a deal, and every deal that
stands follows it.
"""

from django.db import migrations

from fx import fixing_guards, moving_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0021_taken_once")]

    operations = [
        migrations.RunSQL(fixing_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(moving_guards.SQL, migrations.RunSQL.noop),
    ]
