"""Verifications of the chain, asked for by people and carried out by a job."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.db import migrations, models

from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0010_refusals"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditVerification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("requested_at", models.DateTimeField()),
                ("requested_by", models.CharField(max_length=80)),
                ("finished_at", models.DateTimeField(null=True)),
                ("links_count", models.BigIntegerField(default=0)),
                ("head", models.CharField(blank=True, max_length=64)),
                ("faults", models.JSONField(default=list)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        default=core.tenancy.context.tenant_of_new_rows,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at", None)),
                        fields=("tenant",),
                        name="audit_verification_one_open",
                    )
                ],
            },
        ),
        EnforceTenancy("core"),
    ]
