"""Changes are approved like payments; rules themselves come under four eyes."""

from django.db import migrations

from approvals import change_guards
from core.changes.operations import Governed


class Migration(migrations.Migration):
    dependencies = [("approvals", "0006_authority"), ("core", "0004_four_eyes")]

    operations = [
        migrations.RunSQL(change_guards.APPROVED, migrations.RunSQL.noop),
        Governed("approvals_approvalrule"),
    ]
