"""Walls and guards of change requests; people, roles and policies come under four eyes."""

from django.db import migrations

from core.audit.operations import Audited
from core.changes import guards
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):
    dependencies = [("core", "0003_changes")]

    operations = [
        EnforceTenancy("core"),
        Audited(
            "core",
            exclude=(
                "auditentry", "auditlink", "auditpending", "outboxevent", "delivery",
                "idempotencykey", "changedraft",
            ),
            secret_columns=("password", "sealed"),
        ),
        migrations.RunSQL(guards.ALL, migrations.RunSQL.noop),
        Governed("core_user", columns=guards.PERSON_COLUMNS, when=guards.PERSON_GAINS),
        Governed("core_user_groups"),
        Governed("core_user_user_permissions"),
        Governed("core_policyversion"),
    ]
