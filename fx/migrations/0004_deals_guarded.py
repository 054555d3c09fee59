"""Deals: walls, audit trail, legal edges, and counterparties under four eyes."""

from django.db import migrations

from core.audit.operations import AppendOnly, AuditedTables
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy
from fx import guards


class Migration(migrations.Migration):
    dependencies = [
        ("fx", "0003_deals"),
        ("approvals", "0002_guards"),
        ("treasury", "0002_guards"),
    ]

    operations = [
        EnforceTenancy("fx"),
        AuditedTables(
            "fx_counterparty", "fx_settlementinstruction", "fx_deal", "fx_dealconfirmation"
        ),
        AppendOnly("fx_dealconfirmation"),
        Governed("fx_counterparty"),
        Governed("fx_settlementinstruction"),
        migrations.RunSQL(guards.DEALS, migrations.RunSQL.noop),
    ]
