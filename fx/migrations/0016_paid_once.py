"""What may have been paid is not replaced; a net that was paid after all has its legs again."""

from django.db import migrations

from fx import leg_guards, net_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0015_parts_of_batches")]

    operations = [
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(net_guards.SQL, migrations.RunSQL.noop),
    ]
