"""Sweeps: products, eligibility and mandates under four eyes; decisions kept; orders guarded."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
import django_fsm
import simple_history.models
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from core.audit.operations import AppendOnly, AuditedTables
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0110_reset_ends_sessions'),
        ('treasury', '0190_risk_readings'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SweepDecision',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('cutoff_at', models.DateTimeField()),
                ('day', models.DateField(help_text='The New York day that the window belongs to.')),
                ('sequence', models.PositiveSmallIntegerField(help_text='Counts the decisions of the window.')),
                ('decided_at', models.DateTimeField()),
                ('result', models.CharField(max_length=11)),
                ('branch', models.CharField(max_length=12)),
                ('reason', models.CharField(max_length=40)),
                ('product_code', models.CharField(blank=True, max_length=20)),
                ('amount', models.DecimalField(decimal_places=4, default=0, max_digits=20)),
                ('record', models.TextField()),
                ('record_sha256', models.CharField(max_length=64)),
                ('facts_sha256', models.CharField(max_length=64)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='treasury.bankaccount')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-decided_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='SweepMandate',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=70)),
                ('order_max', models.DecimalField(decimal_places=4, max_digits=20, verbose_name='most per order')),
                ('day_max', models.DecimalField(decimal_places=4, max_digits=20, verbose_name='most per day')),
                ('valid_from', models.DateField()),
                ('valid_until', models.DateField(help_text='The last day on which it holds.')),
                ('is_active', models.BooleanField(default=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mandates', to='treasury.bankaccount')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SweepProduct',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=20)),
                ('name', models.CharField(max_length=70)),
                ('kind', models.CharField(choices=[('OVERNIGHT', 'overnight: back on the next business day'), ('BILL', 'bill: bought below its face, in a ladder of weeks'), ('NOTE', 'note: interest on top after a fixed term')], max_length=9)),
                ('cutoff_local', models.TimeField(help_text='The last moment to deal, in its own time zone.')),
                ('timezone', models.CharField(max_length=40)),
                ('calendar', models.CharField(help_text='Code of the calendar it deals by.', max_length=20)),
                ('settlement_days', models.PositiveSmallIntegerField(default=0)),
                ('tenor_days', models.PositiveSmallIntegerField(default=1)),
                ('increment', models.DecimalField(decimal_places=4, default=Decimal('0.01'), max_digits=20)),
                ('minimum', models.DecimalField(decimal_places=4, default=0, max_digits=20)),
                ('cap', models.DecimalField(blank=True, decimal_places=4, help_text='Most it may hold of ours.', max_digits=20, null=True)),
                ('rate', models.DecimalField(decimal_places=8, default=0, max_digits=12)),
                ('is_green', models.BooleanField(default=False)),
                ('is_active', models.BooleanField(default=True)),
                ('for_all_companies', models.BooleanField(default=False, help_text='Otherwise only for the companies that are named for it.')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='SweepOrder',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('order_id', models.CharField(max_length=21)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                ('cutoff_at', models.DateTimeField()),
                ('day', models.DateField()),
                ('part', models.PositiveSmallIntegerField(default=1)),
                ('settles_on', models.DateField()),
                ('matures_on', models.DateField()),
                ('paid_out', models.DecimalField(decimal_places=4, max_digits=20)),
                ('comes_back', models.DecimalField(decimal_places=4, max_digits=20)),
                ('created_at', models.DateTimeField()),
                ('payload', models.TextField()),
                ('payload_sha256', models.CharField(max_length=64)),
                ('release', models.CharField(choices=[('MANDATE', 'within its mandate'), ('WAITING', 'waits for approval'), ('APPROVED', 'approved')], max_length=8)),
                ('state', django_fsm.FSMField(choices=[('NEW', 'new'), ('SENT', 'sent'), ('ACK', 'acknowledged'), ('FAILED', 'failed')], default='NEW', max_length=50, protected=True)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('jws', models.TextField(blank=True)),
                ('key_id', models.CharField(blank=True, max_length=80)),
                ('intent_id', models.UUIDField(help_text='The event that carries it outwards.', null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(help_text='When signing is tried next.')),
                ('sent_at', models.DateTimeField(null=True)),
                ('acked_at', models.DateTimeField(null=True)),
                ('bank_ref', models.CharField(blank=True, max_length=70)),
                ('failed_at', models.DateTimeField(null=True)),
                ('late_ack_at', models.DateTimeField(help_text='Executed after it had failed here.', null=True)),
                ('settlement', models.CharField(choices=[('PENDING', 'not booked yet'), ('SETTLED', 'out'), ('RETURNED', 'back')], default='PENDING', max_length=8)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sweeps', to='treasury.bankaccount')),
                ('decision', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='order', to='treasury.sweepdecision')),
                ('mandate', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='treasury.sweepmandate')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='treasury.sweepproduct')),
            ],
            options={
                'ordering': ['-id'],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.AddField(
            model_name='sweepmandate',
            name='product',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='mandates', to='treasury.sweepproduct'),
        ),
        migrations.CreateModel(
            name='SweepEligibility',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('entity', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.legalentity')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='eligibilities', to='treasury.sweepproduct')),
            ],
            options={
                'verbose_name_plural': 'sweep eligibilities',
                'ordering': ['product', 'entity'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalSweepOrder',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('order_id', models.CharField(max_length=21)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                ('cutoff_at', models.DateTimeField()),
                ('day', models.DateField()),
                ('part', models.PositiveSmallIntegerField(default=1)),
                ('settles_on', models.DateField()),
                ('matures_on', models.DateField()),
                ('paid_out', models.DecimalField(decimal_places=4, max_digits=20)),
                ('comes_back', models.DecimalField(decimal_places=4, max_digits=20)),
                ('created_at', models.DateTimeField()),
                ('payload', models.TextField()),
                ('payload_sha256', models.CharField(max_length=64)),
                ('release', models.CharField(choices=[('MANDATE', 'within its mandate'), ('WAITING', 'waits for approval'), ('APPROVED', 'approved')], max_length=8)),
                ('state', django_fsm.FSMField(choices=[('NEW', 'new'), ('SENT', 'sent'), ('ACK', 'acknowledged'), ('FAILED', 'failed')], default='NEW', max_length=50, protected=True)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('jws', models.TextField(blank=True)),
                ('key_id', models.CharField(blank=True, max_length=80)),
                ('intent_id', models.UUIDField(help_text='The event that carries it outwards.', null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(help_text='When signing is tried next.')),
                ('sent_at', models.DateTimeField(null=True)),
                ('acked_at', models.DateTimeField(null=True)),
                ('bank_ref', models.CharField(blank=True, max_length=70)),
                ('failed_at', models.DateTimeField(null=True)),
                ('late_ack_at', models.DateTimeField(help_text='Executed after it had failed here.', null=True)),
                ('settlement', models.CharField(choices=[('PENDING', 'not booked yet'), ('SETTLED', 'out'), ('RETURNED', 'back')], default='PENDING', max_length=8)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('account', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.bankaccount')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                ('decision', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.sweepdecision')),
                ('mandate', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.sweepmandate')),
                ('product', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.sweepproduct')),
            ],
            options={
                'verbose_name': 'historical sweep order',
                'verbose_name_plural': 'historical sweep orders',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.AddIndex(
            model_name='sweepdecision',
            index=models.Index(fields=['tenant', '-decided_at', '-id'], name='sweep_decision_newest'),
        ),
        migrations.AddConstraint(
            model_name='sweepdecision',
            constraint=models.UniqueConstraint(fields=('tenant', 'account', 'cutoff_at', 'sequence'), name='sweep_decision_once'),
        ),
        migrations.AddConstraint(
            model_name='sweepdecision',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('amount__lt', Decimal('10000000000000000'))), name='sweep_decision_amount_is_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='sweepdecision',
            constraint=models.CheckConstraint(condition=models.Q(('result__in', ('SWEEP', 'NO_SWEEP', 'NO_DECISION'))), name='sweep_decision_result_is_known'),
        ),
        migrations.AddConstraint(
            model_name='sweepdecision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('result', 'SWEEP'), models.Q(('product_code', ''), _negated=True)), models.Q(models.Q(('result', 'SWEEP'), _negated=True), ('amount', 0)), _connector='OR'), name='sweep_decision_sweeps_an_amount'),
        ),
        migrations.AddConstraint(
            model_name='sweepproduct',
            constraint=models.UniqueConstraint(fields=('tenant', 'code'), name='sweep_product_code'),
        ),
        migrations.AddConstraint(
            model_name='sweepproduct',
            constraint=models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z][A-Z0-9_]*$')), name='sweep_product_code_form'),
        ),
        migrations.AddConstraint(
            model_name='sweepproduct',
            constraint=models.CheckConstraint(condition=models.Q(('increment__gt', 0), ('increment__lt', Decimal('10000000000000000'))), name='sweep_product_increment_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='sweepproduct',
            constraint=models.CheckConstraint(condition=models.Q(('minimum__gte', 0), ('minimum__lt', Decimal('10000000000000000')), ('cap__gte', 0), ('cap__lt', Decimal('10000000000000000'))), name='sweep_product_limits_are_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='sweepproduct',
            constraint=models.CheckConstraint(condition=models.Q(('rate__gt', -1), ('rate__lt', 1)), name='sweep_product_rate_is_a_share'),
        ),
        migrations.AddConstraint(
            model_name='sweepproduct',
            constraint=models.CheckConstraint(condition=models.Q(('settlement_days__lte', 10), ('tenor_days__gte', 1), ('tenor_days__lte', 366)), name='sweep_product_tenor_is_positive'),
        ),
        migrations.AddIndex(
            model_name='sweeporder',
            index=models.Index(condition=models.Q(('state', 'NEW')), fields=['tenant', 'due_at'], name='sweep_order_due'),
        ),
        migrations.AddIndex(
            model_name='sweeporder',
            index=models.Index(fields=['tenant', 'account', 'day'], name='sweep_order_of_day'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.UniqueConstraint(fields=('tenant', 'order_id'), name='sweep_order_id'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'FAILED'), _negated=True), fields=('tenant', 'account', 'cutoff_at', 'part'), name='sweep_order_stands_once'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.CheckConstraint(condition=models.Q(('order_id__regex', '^SWP-\\d{4}-\\d{2}-\\d{2}-\\d{4,6}$')), name='sweep_order_id_form'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', Decimal('10000000000000000')), ('paid_out__gt', 0), ('paid_out__lt', Decimal('10000000000000000')), ('comes_back__gt', 0), ('comes_back__lt', Decimal('10000000000000000'))), name='sweep_order_amounts_are_positive'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.CheckConstraint(condition=models.Q(('matures_on__gt', models.F('settles_on'))), name='sweep_order_comes_back_later'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'FAILED'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='sweep_order_failed_says_why'),
        ),
        migrations.AddConstraint(
            model_name='sweeporder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ACK'), _negated=True), models.Q(('acked_at__isnull', False), models.Q(('bank_ref', ''), _negated=True)), _connector='OR'), name='sweep_order_acked_names_the_bank'),
        ),
        migrations.AddConstraint(
            model_name='sweepmandate',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='sweep_mandate_name'),
        ),
        migrations.AddConstraint(
            model_name='sweepmandate',
            constraint=models.CheckConstraint(condition=models.Q(('order_max__gte', 0), ('order_max__lt', Decimal('10000000000000000')), ('day_max__gte', 0), ('day_max__lt', Decimal('10000000000000000'))), name='sweep_mandate_limits_are_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='sweepmandate',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__gte', models.F('valid_from'))), name='sweep_mandate_has_a_term'),
        ),
        migrations.AddConstraint(
            model_name='sweepeligibility',
            constraint=models.UniqueConstraint(fields=('tenant', 'product', 'entity'), name='sweep_eligibility_once'),
        ),
        EnforceTenancy("treasury"),
        AuditedTables(
            "treasury_sweepproduct",
            "treasury_sweepeligibility",
            "treasury_sweepmandate",
            "treasury_sweepdecision",
            "treasury_sweeporder",
        ),
        AppendOnly("treasury_sweepdecision"),
        Governed("treasury_sweepproduct"),
        Governed("treasury_sweepeligibility"),
        Governed("treasury_sweepmandate"),
        migrations.RunSQL(guards.SWEEPS, migrations.RunSQL.noop),
    ]
