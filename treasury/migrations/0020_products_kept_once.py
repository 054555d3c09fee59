"""What a decision could choose from is kept once and named by its digest, not in every record."""

import django.db.models.deletion
from django.db import migrations, models

import core.ids
import core.tenancy.context
from core.audit.operations import AppendOnly, AuditedTables
from core.migrating import InOneStep, unhurried
from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0010_tidied_slowly'),
        ('treasury', '0019_newest_by_index'),
    ]

    operations = [
        InOneStep([
            migrations.AddField(
                model_name='sweepdecision',
                name='universe_sha256',
                field=models.CharField(blank=True, db_default='', default='', max_length=64),
            ),
            migrations.CreateModel(
                name='SweepUniverse',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('sha256', models.CharField(max_length=64)),
                    ('content', models.TextField()),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['-id'],
                    'constraints': [models.UniqueConstraint(fields=('tenant', 'sha256'), name='sweep_universe_once')],
                },
            ),
        ]),
        EnforceTenancy("treasury"),
        AuditedTables("treasury_sweepuniverse", secret_columns=("content",)),
        AppendOnly("treasury_sweepuniverse"),
        migrations.RunSQL(guards.SWEEP_UNIVERSES + guards.SWEEP_BATCHES, migrations.RunSQL.noop),
        unhurried('treasury_statement', 'treasury_statementbalance', 'treasury_sweepdecision'),
    ]
