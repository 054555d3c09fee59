"""Readings of risk, handed down by the room that measures them; append-only."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

from core.audit.operations import AppendOnly, AuditedTables
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0110_reset_ends_sessions'),
        ('treasury', '0180_lines'),
    ]

    operations = [
        migrations.CreateModel(
            name='RiskReading',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('as_of', models.DateField(help_text='The last day whose flows were counted.')),
                ('observed_at', models.DateTimeField(help_text='When it was measured; its age counts from here.')),
                ('method', models.CharField(help_text='Which definition of the quantile.', max_length=40)),
                ('confidence', models.DecimalField(decimal_places=6, max_digits=7)),
                ('observations', models.PositiveIntegerField(help_text='Days of flows that it rests on.')),
                ('var_amount', models.DecimalField(decimal_places=4, max_digits=20, null=True, verbose_name='value at risk')),
                ('expected_shortfall', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('base_amount', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('base_kind', models.CharField(help_text='What the base amount is.', max_length=40)),
                ('var_bps', models.DecimalField(decimal_places=4, max_digits=14, null=True, verbose_name='value at risk (bps)')),
                ('inputs_sha256', models.CharField(max_length=64)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='readings', to='treasury.bankaccount')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-observed_at', '-id'],
                'indexes': [models.Index(fields=['tenant', 'account', '-observed_at', '-id'], name='risk_reading_newest')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'account', 'method', 'observed_at'), name='risk_reading_once'), models.CheckConstraint(condition=models.Q(('var_amount__gte', 0), ('var_amount__lt', Decimal('10000000000000000')), ('expected_shortfall__gte', 0), ('expected_shortfall__lt', Decimal('10000000000000000')), ('var_bps__gte', 0), ('var_bps__lt', Decimal('10000000000000000'))), name='risk_reading_losses_are_not_negative'), models.CheckConstraint(condition=models.Q(('base_amount__gt', Decimal('-10000000000000000')), ('base_amount__lt', Decimal('10000000000000000'))), name='risk_reading_base_is_finite'), models.CheckConstraint(condition=models.Q(('confidence__gt', Decimal('0')), ('confidence__lt', Decimal('1'))), name='risk_reading_confidence_is_a_share'), models.CheckConstraint(condition=models.Q(('var_bps', None), models.Q(('base_amount__gt', 0), ('base_amount__isnull', False), ('var_amount__isnull', False)), _connector='OR'), name='risk_reading_share_has_its_parts'), models.CheckConstraint(condition=models.Q(('inputs_sha256__regex', '^[0-9a-f]{64}$')), name='risk_reading_digest_form')],
            },
        ),
        EnforceTenancy("treasury"),
        AuditedTables("treasury_riskreading"),
        AppendOnly("treasury_riskreading"),
    ]
