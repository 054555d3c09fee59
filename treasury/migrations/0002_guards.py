"""What the database holds of money: its walls, its trail and the rules of its movement."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited, AuditedTables
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy, KeysOnce
from treasury import guards

class Migration(migrations.Migration):
    replaces = [("treasury", "0210_newest_balance")]
    dependencies = [
        ("treasury", "0001_tables"),
        ("approvals", "0002_guards"),
        ("integrations", "0002_guards"),
    ]

    operations = [
        EnforceTenancy("treasury"),
        Audited(
            "treasury",
            exclude=(
                "entryobservation", "statementbalance", "referencecounter",
                "daymovement", "dailybalance", "newestbalance",
            ),
            quiet_inserts=("bankentry",),
            secret_columns=("number",),
        ),
        AuditedTables(
            "treasury_task",
            "treasury_proposalupload",
            "treasury_uploadedproposal",
            secret_columns=("body",),
        ),
        AuditedTables(
            "treasury_lateentry",
            "treasury_recall",
            "treasury_riskreading",
            "treasury_sweepdecision",
            "treasury_sweepeligibility",
            "treasury_sweepmandate",
            "treasury_sweeporder",
            "treasury_sweepproduct",
        ),
        AppendOnly(
            "treasury_entryobservation",
            "treasury_riskreading",
            "treasury_sweepdecision",
            "treasury_transferstatus",
            "treasury_uploadedproposal",
        ),
        Governed("treasury_legalentity"),
        Governed("treasury_bank"),
        Governed(
            "treasury_bankaccount", sealed=("number",), stamped=("changed_at", "changed_by_id")
        ),
        Governed("treasury_sweepproduct"),
        Governed("treasury_sweepeligibility"),
        Governed("treasury_sweepmandate"),
        migrations.RunSQL(guards.ALL, migrations.RunSQL.noop),
        KeysOnce(
            "treasury_bankentry",
            "treasury_entryobservation",
            "treasury_expectedflow",
            "treasury_statement",
            "treasury_statementbalance",
            "treasury_transfer",
            "treasury_transferstatus",
        ),
    ]
