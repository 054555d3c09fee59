"""Nets: walls, audit trail, four eyes on agreements, and what a net may be."""

from django.db import migrations

from core.audit.operations import AuditedTables
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy
from fx import leg_guards, net_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0008_nets")]

    operations = [
        EnforceTenancy("fx"),
        AuditedTables("fx_nettingagreement", "fx_settlementnet"),
        Governed("fx_nettingagreement"),
        migrations.RunSQL(net_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
    ]
