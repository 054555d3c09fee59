"""Tenant walls, audit trail and the guards of maker-checker."""

from django.db import migrations

from approvals import guards
from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("core", "0002_walls")]

    operations = [
        EnforceTenancy("approvals"),
        Audited("approvals"),
        AppendOnly(
            "approvals_approvalrule",
            "approvals_decision",
            "approvals_historicalapprovalrequest",
        ),
        migrations.RunSQL(guards.ALL, migrations.RunSQL.noop),
    ]
