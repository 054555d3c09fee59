"""Closing out, cancelling and fixing: walls, audit trail, and what the database holds of them."""

from django.db import migrations

from core.audit.operations import AppendOnly, AuditedTables
from core.tenancy.operations import EnforceTenancy
from fx import closing_guards, guards, leg_guards


class Migration(migrations.Migration):
    dependencies = [("fx", "0010_closing")]

    operations = [
        EnforceTenancy("fx"),
        AuditedTables("fx_dealcancellation", "fx_ndffixing"),
        AppendOnly("fx_ndffixing"),
        migrations.RunSQL(closing_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(guards.DEALS, migrations.RunSQL.noop),
    ]
