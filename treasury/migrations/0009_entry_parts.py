"""What a batch booking holds, and which payment each of its parts proves."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

from core.audit.operations import AppendOnly
from core.migrating import InOneStep
from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_trail_without_keys'),
        ('treasury', '0008_count_together'),
    ]

    operations = [
        InOneStep([
            migrations.AlterField(
                model_name='transfer',
                name='credit_entry',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankentry'),
            ),
            migrations.AlterField(
                model_name='transfer',
                name='debit_entry',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankentry'),
            ),
            migrations.AlterField(
                model_name='transfer',
                name='return_entry',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankentry'),
            ),
            migrations.CreateModel(
                name='EntryPart',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('number', models.PositiveIntegerField(help_text='Its place in the batch, from one.')),
                    ('source', models.CharField(choices=[('BANK', 'listed by the bank'), ('ORDER', 'our own file, which the bank names')], max_length=5)),
                    ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('bank_reference', models.CharField(blank=True, max_length=70)),
                    ('end_to_end_id', models.CharField(blank=True, max_length=70)),
                    ('uetr', models.CharField(blank=True, max_length=36, verbose_name='UETR')),
                    ('counterparty', models.CharField(blank=True, max_length=140)),
                    ('remittance', models.TextField(blank=True)),
                    ('return_reason', models.CharField(blank=True, max_length=70)),
                    ('locator', models.CharField(blank=True, max_length=200)),
                    ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='treasury.bankentry')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['entry', 'number'],
                },
            ),
            migrations.AddField(
                model_name='historicaltransfer',
                name='credit_part',
                field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='historicaltransfer',
                name='debit_part',
                field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='historicaltransfer',
                name='return_part',
                field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='transfer',
                name='credit_part',
                field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='transfer',
                name='debit_part',
                field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='transfer',
                name='return_part',
                field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.entrypart'),
            ),
            migrations.AddConstraint(
                model_name='transfer',
                constraint=models.UniqueConstraint(condition=models.Q(('debit_part__isnull', True)), fields=('tenant', 'debit_entry'), name='transfer_debit_alone'),
            ),
            migrations.AddConstraint(
                model_name='transfer',
                constraint=models.CheckConstraint(condition=models.Q(('debit_part__isnull', True), ('debit_entry__isnull', False), _connector='OR'), name='transfer_debit_part_has_entry'),
            ),
            migrations.AddConstraint(
                model_name='transfer',
                constraint=models.UniqueConstraint(condition=models.Q(('credit_part__isnull', True)), fields=('tenant', 'credit_entry'), name='transfer_credit_alone'),
            ),
            migrations.AddConstraint(
                model_name='transfer',
                constraint=models.CheckConstraint(condition=models.Q(('credit_part__isnull', True), ('credit_entry__isnull', False), _connector='OR'), name='transfer_credit_part_has_entry'),
            ),
            migrations.AddConstraint(
                model_name='transfer',
                constraint=models.UniqueConstraint(condition=models.Q(('return_part__isnull', True)), fields=('tenant', 'return_entry'), name='transfer_return_alone'),
            ),
            migrations.AddConstraint(
                model_name='transfer',
                constraint=models.CheckConstraint(condition=models.Q(('return_part__isnull', True), ('return_entry__isnull', False), _connector='OR'), name='transfer_return_part_has_entry'),
            ),
            migrations.AddIndex(
                model_name='entrypart',
                index=models.Index(condition=models.Q(('end_to_end_id', ''), _negated=True), fields=['tenant', 'end_to_end_id'], name='entry_part_by_end_to_end_id'),
            ),
            migrations.AddIndex(
                model_name='entrypart',
                index=models.Index(condition=models.Q(('uetr', ''), _negated=True), fields=['tenant', 'uetr'], name='entry_part_by_uetr'),
            ),
            migrations.AddConstraint(
                model_name='entrypart',
                constraint=models.UniqueConstraint(fields=('tenant', 'entry', 'number'), name='entry_part_number'),
            ),
            migrations.AddConstraint(
                model_name='entrypart',
                constraint=models.CheckConstraint(condition=models.Q(('amount__gt', Decimal('-10000000000000000')), ('amount__lt', Decimal('10000000000000000'))), name='entry_part_amount_is_finite'),
            ),
        ]),
        EnforceTenancy("treasury"),
        AppendOnly("treasury_entrypart"),
        migrations.RunSQL(guards.PARTS, migrations.RunSQL.noop),
    ]
