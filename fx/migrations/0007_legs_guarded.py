"""Legs of deals: walls, audit trail, what a leg may be, and what may be paid for a deal."""

from django.db import migrations

from core.audit.operations import AuditedTables
from core.tenancy.operations import EnforceTenancy
from fx import guards, leg_guards


class Migration(migrations.Migration):
    dependencies = [
        ("fx", "0006_legs"),
        ("approvals", "0002_guards"),
        ("treasury", "0008_count_together"),
    ]

    operations = [
        EnforceTenancy("fx"),
        AuditedTables("fx_dealleg", "fx_settlementalarm"),
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(guards.DEALS, migrations.RunSQL.noop),
    ]
