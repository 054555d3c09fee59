"""Valuations: walls, audit trail, rows that nobody changes, and sums that hold."""

from django.db import migrations

from core.audit.operations import AppendOnly, AuditedTables
from core.tenancy.operations import EnforceTenancy
from fx import valuation_guards as guards


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_guards"),
        ("fx", "0012_valuation"),
    ]

    operations = [
        EnforceTenancy("fx"),
        AuditedTables("fx_revaluationrun"),
        migrations.RunSQL(guards.AUDIT_QUIETLY, migrations.RunSQL.noop),
        AppendOnly(*guards.KEPT),
        migrations.RunSQL(guards.VALUATIONS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.PNL, migrations.RunSQL.noop),
    ]
