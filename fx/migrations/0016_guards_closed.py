"""What the database holds of deals, legs, nets and fixings, once more, for those that have them."""

from django.db import migrations

from fx import closing_guards, guards, leg_guards, net_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0015_parts_of_batches")]

    operations = [
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(net_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(closing_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(guards.DEALS, migrations.RunSQL.noop),
    ]
