"""Sweeps that our own bank pays, and the trace that an order belongs to."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_guards'),
        ("treasury", "0003_pools"),
    ]

    operations = [
        InOneStep([
            migrations.AddField(
                model_name='historicalsweeporder',
                name='trace_id',
                field=models.UUIDField(help_text="Followed from the balance to the bank's answer.", null=True),
            ),
            migrations.AddField(
                model_name='historicaltransfer',
                name='trace_id',
                field=models.UUIDField(help_text='What its news belongs to.', null=True),
            ),
            migrations.AddField(
                model_name='statement',
                name='trace_id',
                field=models.UUIDField(help_text='What its news belongs to.', null=True),
            ),
            migrations.AddField(
                model_name='sweeporder',
                name='trace_id',
                field=models.UUIDField(help_text="Followed from the balance to the bank's answer.", null=True),
            ),
            migrations.AddField(
                model_name='transfer',
                name='trace_id',
                field=models.UUIDField(help_text='What its news belongs to.', null=True),
            ),
            migrations.AlterField(
                model_name='historicalproposal',
                name='reference',
                field=models.CharField(max_length=35),
            ),
            migrations.AlterField(
                model_name='proposal',
                name='reference',
                field=models.CharField(max_length=35),
            ),
            migrations.CreateModel(
                name='SweepLine',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('name', models.CharField(max_length=70)),
                    ('rail', models.CharField(blank=True, help_text='Empty: the shortest way there.', max_length=12)),
                    ('report_code', models.CharField(blank=True, help_text='What the authority wants to read in every order.', max_length=10)),
                    ('report_text', models.CharField(blank=True, max_length=35)),
                    ('note_to_bank', models.CharField(blank=True, help_text='Written for our own bank in every order.', max_length=140)),
                    ('ends', models.CharField(default='', editable=False, max_length=64)),
                    ('is_active', models.BooleanField(default=True)),
                    ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sweep_lines', to='treasury.bankaccount')),
                    ('beneficiary', models.ForeignKey(blank=True, help_text='Who takes the money; or else an account of ours.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.beneficiary')),
                    ('credit_account', models.ForeignKey(blank=True, help_text='An account of ours that holds the product; or else a beneficiary.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                    ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='treasury.sweepproduct')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['name'],
                },
            ),
            migrations.AddField(
                model_name='historicalsweeporder',
                name='line',
                field=models.ForeignKey(blank=True, db_constraint=False, help_text='Our own bank pays it so; empty: a connector executes it.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.sweepline'),
            ),
            migrations.AddField(
                model_name='sweeporder',
                name='line',
                field=models.ForeignKey(help_text='Our own bank pays it so; empty: a connector executes it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='treasury.sweepline'),
            ),
            migrations.AddConstraint(
                model_name='sweepline',
                constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='sweep_line_name'),
            ),
            migrations.AddConstraint(
                model_name='sweepline',
                constraint=models.UniqueConstraint(fields=('tenant', 'account', 'product'), name='sweep_line_of_product'),
            ),
            migrations.AddConstraint(
                model_name='sweepline',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('beneficiary__isnull', False), ('credit_account__isnull', True)), models.Q(('beneficiary__isnull', True), ('credit_account__isnull', False)), _connector='OR'), name='sweep_line_pays_exactly_one'),
            ),
            migrations.AddConstraint(
                model_name='sweepline',
                constraint=models.CheckConstraint(condition=models.Q(('ends__regex', '^[0-9a-f]{64}$')), name='sweep_line_ends_are_a_digest'),
            ),
            migrations.AddIndex(
                model_name='sweeporder',
                index=models.Index(condition=models.Q(('line__isnull', False), models.Q(('settlement', 'RETURNED'), _negated=True)), fields=['tenant', 'id'], name='sweep_order_paid'),
            ),
        ]),
    ]
