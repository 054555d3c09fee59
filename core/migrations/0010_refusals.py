"""Refused attempts enter the trail, and who acted for whom."""

from django.db import migrations, models

from core.audit.sql import FUNCTIONS, REFUSED


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0009_duties"),
    ]

    operations = [
        migrations.AddField(
            model_name="auditentry",
            name="on_behalf_of",
            field=models.TextField(null=True),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["tenant", "row_id", "-id"], name="audit_of_thing"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("action", "REFUSED")),
                fields=["tenant", "actor", "-at"],
                name="audit_refused_by_actor",
            ),
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(REFUSED, migrations.RunSQL.noop),
    ]
