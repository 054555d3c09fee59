"""Tenant walls, audit trail and the guards of money movement."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):
    dependencies = [
        ("treasury", "0001_initial"),
        ("core", "0002_walls"),
        ("approvals", "0002_walls"),
    ]

    operations = [
        EnforceTenancy("treasury"),
        Audited(
            "treasury",
            exclude=("entryobservation", "statementbalance", "referencecounter"),
            quiet_inserts=("bankentry",),
            secret_columns=("number",),
        ),
        AppendOnly("treasury_transferstatus", "treasury_entryobservation"),
        migrations.RunSQL(guards.MOVEMENT, migrations.RunSQL.noop),
    ]
