"""A part settles one thing only; differences stand, and are booked on their day, while it counts.

Functions only: what was written before is not asked again.
"""

from django.db import migrations

from fx import difference_guards, leg_guards, net_guards, valuation_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0026_quicker_runs")]

    operations = [
        migrations.RunSQL(one, migrations.RunSQL.noop)
        for one in (
            difference_guards.SQL,
            leg_guards.SQL,
            net_guards.SQL,
            valuation_guards.PNL,
        )
    ]
