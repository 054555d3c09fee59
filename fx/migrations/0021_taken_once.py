"""An entry is taken whole or in parts; differences are worth what they are; nets of nothing wait."""

from django.db import migrations

from fx import difference_guards, leg_guards, net_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0020_open_deals")]

    operations = [
        migrations.RunSQL(one.SQL, migrations.RunSQL.noop)
        for one in (difference_guards, leg_guards, net_guards)
    ]
