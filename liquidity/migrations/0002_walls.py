"""Tenant walls, audit trail, and what the database refuses by itself."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy
from liquidity import guards


class Migration(migrations.Migration):
    dependencies = [
        ("liquidity", "0001_initial"),
        ("core", "0002_walls"),
        ("treasury", "0002_walls"),
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
