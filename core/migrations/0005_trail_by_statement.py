"""INSERTs are written into the trail once a statement; the trail's own indexes are fewer."""

import django.db.models.deletion
from django.db import migrations, models

from core.audit.operations import AuditedByStatement
from core.audit.sql import INSERTS
from core.migrating import InOneStep


class Migration(migrations.Migration):
    dependencies = [("core", "0004_quicker_trail_and_queue")]

    operations = [
        InOneStep([
            migrations.RemoveIndex(model_name="auditentry", name="audit_by_row"),
            migrations.AlterField(
                model_name="auditentry",
                name="tenant",
                field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.tenant"),
            ),
            migrations.AlterField(
                model_name="auditlink",
                name="tenant",
                field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.tenant"),
            ),
            migrations.AlterField(
                model_name="auditpending",
                name="tenant",
                field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.tenant"),
            ),
            migrations.AddIndex(
                model_name="auditentry",
                index=models.Index(fields=["tenant", "table_name", "-id"], name="audit_of_table"),
            ),
        ]),
        migrations.RunSQL(INSERTS, migrations.RunSQL.noop),
        AuditedByStatement(),
    ]
