"""The wall around plans and forecasts, their trail, and what never changes."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy
from liquidity import guards

class Migration(migrations.Migration):
    replaces = [("liquidity", "0002_walls")]
    dependencies = [
        ("liquidity", "0001_tables"),
    ]

    operations = [
        EnforceTenancy("liquidity"),
        Audited("liquidity", quiet_inserts=("forecastline",)),
        AppendOnly(
            "liquidity_forecast",
            "liquidity_forecastline",
            "liquidity_forecastrun",
        ),
        migrations.RunSQL(guards.ALL, migrations.RunSQL.noop),
    ]
