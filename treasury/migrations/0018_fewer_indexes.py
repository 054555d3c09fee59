"""Indexes that a statement does not need, and sweeps decided with less work: the same rows."""

import django.db.models.deletion
from django.db import migrations, models

from core.audit.operations import AuditedTables
from core.migrating import InOneStep
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0007_fewer_indexes'),
        ('treasury', '0012_keys_by_index'),
    ]

    operations = [
        InOneStep([
            migrations.RemoveIndex(
                model_name='statement',
                name='statement_by_message',
            ),
            migrations.AlterField(
                model_name='statement',
                name='supersedes',
                field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.statement'),
            ),
            migrations.AddIndex(
                model_name='statement',
                index=models.Index(condition=models.Q(('message_id__isnull', False)), fields=['tenant', 'message_id'], name='statement_by_message'),
            ),
            migrations.AddIndex(
                model_name='statement',
                index=models.Index(condition=models.Q(('supersedes__isnull', False)), fields=['tenant', 'supersedes'], name='statement_by_superseded'),
            ),
        ]),
        # The record of a decision is kept where nobody changes it; the trail names its SHA-256.
        AuditedTables("treasury_sweepdecision", secret_columns=("record",)),
        # A record fits into its row; compressing it costs more than deciding does.
        migrations.RunSQL(
            "ALTER TABLE treasury_sweepdecision SET (toast_tuple_target = 8160)",
            "ALTER TABLE treasury_sweepdecision RESET (toast_tuple_target)",
        ),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
