"""A payment of a sweep is released by its order, for exactly what was decided and agreed."""

from django.db import migrations

from core.audit.operations import AuditedTables
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):
    dependencies = [("treasury", "0004_sweep_lines")]

    operations = [
        EnforceTenancy("treasury"),
        AuditedTables("treasury_sweepline"),
        Governed("treasury_sweepline"),
        migrations.RunSQL(guards.SWEEP_LINES, migrations.RunSQL.noop),
    ]
