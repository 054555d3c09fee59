"""Maker-checker as the database holds it."""

from django.db import migrations

from approvals import change_guards, guards
from core.audit.operations import AppendOnly, Audited
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy

class Migration(migrations.Migration):
    replaces = [("approvals", "0110_levels")]
    dependencies = [
        ("approvals", "0001_tables"),
        ("calendars", "0002_guards"),
    ]

    operations = [
        EnforceTenancy("approvals"),
        Audited("approvals"),
        AppendOnly(
            "approvals_approvalrule",
            "approvals_authoritylimit",
            "approvals_decision",
            "approvals_decisionlist",
            "approvals_historicalapprovalrequest",
            "approvals_viewing",
        ),
        migrations.RunSQL(guards.ALL, migrations.RunSQL.noop),
        migrations.RunSQL(
            guards.FUNCTIONS_OF_AUTHORITY + guards.AUTHORITY_TRIGGERS, migrations.RunSQL.noop
        ),
        migrations.RunSQL(change_guards.APPROVED, migrations.RunSQL.noop),
        Governed("approvals_approvalrule"),
        migrations.RunSQL(
            guards.FUNCTIONS_OF_LEVELS + guards.LIST_TRIGGERS, migrations.RunSQL.noop
        ),
    ]
