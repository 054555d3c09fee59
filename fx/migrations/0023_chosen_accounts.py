"""A leg the other way round keeps the account and the later day; who decides a correction may."""

from django.db import migrations

from fx import fixing_guards, leg_guards, moving_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0022_fixings_hold")]

    operations = [
        migrations.RunSQL(one.SQL, migrations.RunSQL.noop)
        for one in (fixing_guards, leg_guards, moving_guards)
    ]
