"""Suggestions of deals, what makes a forecast stale, and files of deals: tables and guards."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
import django_fsm
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from core.audit.operations import AppendOnly, AuditedTables
from core.migrating import InOneStep
from core.tenancy.operations import EnforceTenancy
from fx import suggestion_guards

TABLES = (
    "fx_hedgeneed", "fx_dealsuggestion", "fx_forecastbasis", "fx_reforecasttrigger", "fx_dealfile",
    "fx_dealfilerow",
)


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_trail_without_keys'),
        ('fx', '0013_valuation_guarded'),
        ('treasury', '0008_count_together'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        InOneStep([
            migrations.CreateModel(
                name='DealFile',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('name', models.CharField(max_length=120)),
                    ('sha256', models.CharField(max_length=64)),
                    ('rows_count', models.PositiveIntegerField()),
                    ('received_at', models.DateTimeField()),
                    ('maker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['-id'],
                },
            ),
            migrations.CreateModel(
                name='DealFileRow',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('row_number', models.PositiveIntegerField()),
                    ('deal', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='file_row', to='fx.deal')),
                    ('file', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rows', to='fx.dealfile')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['file', 'row_number'],
                },
            ),
            migrations.CreateModel(
                name='ForecastBasis',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('currency', models.CharField(max_length=3)),
                    ('forecast', models.UUIDField()),
                    ('as_of', models.DateTimeField()),
                    ('day', models.DateField()),
                    ('outflow', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('booked', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('required', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('prefunded', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('hedged', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('open_amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('rate', models.DecimalField(decimal_places=10, max_digits=17, null=True)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'verbose_name_plural': 'forecast bases',
                    'ordering': ['-id'],
                },
            ),
            migrations.CreateModel(
                name='HedgeNeed',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('currency', models.CharField(max_length=3)),
                    ('funding', models.CharField(max_length=3)),
                    ('day', models.DateField(help_text="The local day of the currency's own centre.")),
                    ('cause', models.CharField(choices=[('EXPOSURE', 'open exposure'), ('BREACH', 'exposure above its cap'), ('SHORTFALL', 'an account runs short')], max_length=9)),
                    ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('needed_on', models.DateField(help_text='The first day on which money is missing.')),
                    ('required', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('prefunded', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('hedged', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('open_amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('shortfall', models.DecimalField(decimal_places=4, help_text='Transfers that no own account could pay.', max_digits=20)),
                    ('inventory', models.DecimalField(decimal_places=4, help_text='What other own accounts of the currency can spare.', max_digits=20)),
                    ('in_works', models.DecimalField(decimal_places=4, help_text='Bought by deals that are not dealt yet.', max_digits=20)),
                    ('left_open', models.DecimalField(decimal_places=4, help_text='Dismissed by a dealer today.', max_digits=20)),
                    ('rate', models.DecimalField(decimal_places=10, help_text='What a deal would get from the market.', max_digits=17)),
                    ('rate_at', models.DateTimeField()),
                    ('rate_source', models.CharField(max_length=40)),
                    ('digest', models.CharField(help_text='The same inputs have the same digest.', max_length=64)),
                    ('inputs', models.JSONField(help_text='Accounts, cut-offs, limits and policies as they were.')),
                    ('computed_at', models.DateTimeField()),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['-id'],
                },
            ),
            migrations.CreateModel(
                name='DealSuggestion',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('currency', models.CharField(max_length=3)),
                    ('day', models.DateField()),
                    ('part', models.PositiveSmallIntegerField()),
                    ('parts', models.PositiveSmallIntegerField()),
                    ('base', models.CharField(max_length=3)),
                    ('quote', models.CharField(max_length=3)),
                    ('side', models.CharField(choices=[('BUY', 'buy'), ('SELL', 'sell')], max_length=4)),
                    ('dealt_currency', models.CharField(max_length=3)),
                    ('dealt_amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('buys', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('rate', models.DecimalField(decimal_places=10, max_digits=17)),
                    ('usd_equivalent', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('trade_date', models.DateField()),
                    ('value_date', models.DateField()),
                    ('period', models.CharField(choices=[('CASH', 'cash'), ('TOM', 'tom'), ('SPOT', 'spot'), ('FORWARD', 'forward')], max_length=7)),
                    ('dealt_until', models.DateTimeField(help_text="The period's cut-off, or the trading day's end.")),
                    ('is_late', models.BooleanField(help_text='It settles after the day on which money is missing.')),
                    ('headroom_usd', models.DecimalField(decimal_places=4, help_text='Left with the counterparty before this one.', max_digits=20, null=True)),
                    ('reason', models.TextField()),
                    ('rejected', models.JSONField(default=list, help_text='Other ways, each with why it was not.')),
                    ('state', django_fsm.FSMField(choices=[('OPEN', 'open'), ('TAKEN', 'taken'), ('DISMISSED', 'dismissed'), ('SUPERSEDED', 'superseded'), ('EXPIRED', 'expired')], default='OPEN', max_length=50, protected=True)),
                    ('created_at', models.DateTimeField()),
                    ('expires_at', models.DateTimeField(help_text='The end of its trading day.')),
                    ('closed_at', models.DateTimeField(null=True)),
                    ('closing_reason', models.TextField(blank=True)),
                    ('closed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('counterparty', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='fx.counterparty')),
                    ('deal', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='suggestion', to='fx.deal')),
                    ('pay_account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                    ('receive_account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('need', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suggestions', to='fx.hedgeneed')),
                ],
                options={
                    'ordering': ['-id'],
                },
                bases=(django_fsm.FSMModelMixin, models.Model),
            ),
            migrations.CreateModel(
                name='ReforecastTrigger',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('currency', models.CharField(max_length=3)),
                    ('local_date', models.DateField()),
                    ('reason', models.CharField(choices=[('DEVIATION', 'the day runs otherwise than forecast'), ('RATE_MOVE', 'the rate moved'), ('DEAL_FAILED', 'a deal was cancelled or failed'), ('HOLIDAY', 'a holiday changed'), ('MANUAL', 'a person asked')], max_length=11)),
                    ('bucket', models.PositiveSmallIntegerField(help_text='Which half hour of the local day.')),
                    ('old', models.CharField(max_length=60)),
                    ('new', models.CharField(max_length=60)),
                    ('words', models.CharField(max_length=300)),
                    ('noticed_at', models.DateTimeField()),
                    ('due_at', models.DateTimeField()),
                    ('fired_at', models.DateTimeField(null=True)),
                    ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['-id'],
                },
            ),
            migrations.AddConstraint(
                model_name='dealfile',
                constraint=models.UniqueConstraint(fields=('tenant', 'sha256'), name='deal_file_once'),
            ),
            migrations.AddConstraint(
                model_name='dealfile',
                constraint=models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='deal_file_digest_form'),
            ),
            migrations.AddConstraint(
                model_name='dealfilerow',
                constraint=models.UniqueConstraint(fields=('tenant', 'file', 'row_number'), name='deal_file_row_once'),
            ),
            migrations.AddIndex(
                model_name='forecastbasis',
                index=models.Index(fields=['tenant', 'currency', '-as_of'], name='forecast_basis_new'),
            ),
            migrations.AddConstraint(
                model_name='forecastbasis',
                constraint=models.UniqueConstraint(fields=('tenant', 'currency', 'forecast'), name='forecast_basis_once'),
            ),
            migrations.AddConstraint(
                model_name='forecastbasis',
                constraint=models.CheckConstraint(condition=models.Q(('outflow__gte', 0), ('outflow__lt', Decimal('10000000000000000')), ('booked__gte', 0), ('booked__lt', Decimal('10000000000000000')), ('required__gte', 0), ('required__lt', Decimal('10000000000000000')), ('open_amount__gte', 0), ('open_amount__lt', Decimal('10000000000000000'))), name='forecast_basis_amounts'),
            ),
            migrations.AddConstraint(
                model_name='forecastbasis',
                constraint=models.CheckConstraint(condition=models.Q(('prefunded__gt', Decimal('-10000000000000000')), ('prefunded__lt', Decimal('10000000000000000')), ('hedged__gt', Decimal('-10000000000000000')), ('hedged__lt', Decimal('10000000000000000'))), name='forecast_basis_signed'),
            ),
            migrations.AddConstraint(
                model_name='forecastbasis',
                constraint=models.CheckConstraint(condition=models.Q(('rate', None), models.Q(('rate__gt', 0), ('rate__lt', Decimal('10000000'))), _connector='OR'), name='forecast_basis_rate'),
            ),
            migrations.AddIndex(
                model_name='hedgeneed',
                index=models.Index(fields=['tenant', 'currency', 'day'], name='hedge_need_by_day'),
            ),
            migrations.AddConstraint(
                model_name='hedgeneed',
                constraint=models.CheckConstraint(condition=models.Q(('required__gte', 0), ('required__lt', Decimal('10000000000000000')), ('open_amount__gte', 0), ('open_amount__lt', Decimal('10000000000000000')), ('shortfall__gte', 0), ('shortfall__lt', Decimal('10000000000000000')), ('inventory__gte', 0), ('inventory__lt', Decimal('10000000000000000')), ('in_works__gte', 0), ('in_works__lt', Decimal('10000000000000000')), ('left_open__gte', 0), ('left_open__lt', Decimal('10000000000000000'))), name='hedge_need_amounts'),
            ),
            migrations.AddConstraint(
                model_name='hedgeneed',
                constraint=models.CheckConstraint(condition=models.Q(('prefunded__gt', Decimal('-10000000000000000')), ('prefunded__lt', Decimal('10000000000000000')), ('hedged__gt', Decimal('-10000000000000000')), ('hedged__lt', Decimal('10000000000000000'))), name='hedge_need_signed'),
            ),
            migrations.AddConstraint(
                model_name='hedgeneed',
                constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', 10000000000000000)), name='hedge_need_is_positive'),
            ),
            migrations.AddConstraint(
                model_name='hedgeneed',
                constraint=models.CheckConstraint(condition=models.Q(('rate__gt', 0), ('rate__lt', Decimal('10000000'))), name='hedge_need_rate'),
            ),
            migrations.AddConstraint(
                model_name='hedgeneed',
                constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$'), ('funding__regex', '^[A-Z]{3}$'), models.Q(('currency', models.F('funding')), _negated=True)), name='hedge_need_has_two_currencies'),
            ),
            migrations.AddIndex(
                model_name='dealsuggestion',
                index=models.Index(fields=['tenant', 'state', 'currency'], name='suggestion_by_state'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.UniqueConstraint(condition=models.Q(('state', 'OPEN')), fields=('tenant', 'currency', 'part'), name='suggestion_once_open'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(('buys__gt', 0), ('buys__lt', 10000000000000000), ('dealt_amount__gt', 0), ('dealt_amount__lt', 10000000000000000), ('usd_equivalent__gt', 0), ('usd_equivalent__lt', 10000000000000000)), name='suggestion_amounts_are_positive'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(('headroom_usd__gt', Decimal('-10000000000000000')), ('headroom_usd__lt', Decimal('10000000000000000'))), name='suggestion_headroom_is_finite'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(('rate__gt', 0), ('rate__lt', Decimal('10000000'))), name='suggestion_rate'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(('part__gte', 1), ('part__lte', models.F('parts'))), name='suggestion_part_of_parts'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('base', models.F('currency')), ('side', 'BUY')), models.Q(('quote', models.F('currency')), ('side', 'SELL')), _connector='OR'), name='suggestion_buys_its_currency'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(('base__regex', '^[A-Z]{3}$'), ('quote__regex', '^[A-Z]{3}$'), models.Q(('base', models.F('quote')), _negated=True), models.Q(('dealt_currency', models.F('base')), ('dealt_currency', models.F('quote')), _connector='OR')), name='suggestion_has_two_currencies'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('deal__isnull', False), ('state', 'TAKEN')), models.Q(models.Q(('state', 'TAKEN'), _negated=True), ('deal', None)), _connector='OR'), name='suggestion_deal_when_taken'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('closed_by', None), ('closing_reason', ''), ('state', 'OPEN')), models.Q(('closed_at__isnull', False), ('state__in', ('TAKEN', 'DISMISSED')), ('closed_by__isnull', False)), models.Q(('closed_at__isnull', False), ('closed_by', None), ('state__in', ('SUPERSEDED', 'EXPIRED'))), _connector='OR'), name='suggestion_closed_by_somebody'),
            ),
            migrations.AddConstraint(
                model_name='dealsuggestion',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'DISMISSED'), _negated=True), models.Q(('closing_reason', ''), _negated=True), _connector='OR'), name='suggestion_dismissed_with_reason'),
            ),
            migrations.AddIndex(
                model_name='reforecasttrigger',
                index=models.Index(fields=['tenant', 'currency', '-fired_at'], name='reforecast_newest'),
            ),
            migrations.AddConstraint(
                model_name='reforecasttrigger',
                constraint=models.UniqueConstraint(fields=('tenant', 'currency', 'local_date', 'reason', 'bucket'), name='reforecast_once'),
            ),
            migrations.AddConstraint(
                model_name='reforecasttrigger',
                constraint=models.CheckConstraint(condition=models.Q(('fired_at', None), ('fired_at__gte', models.F('due_at')), _connector='OR'), name='reforecast_fired_when_due'),
            ),
            migrations.AddConstraint(
                model_name='reforecasttrigger',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('asked_by__isnull', False), ('reason', 'MANUAL')), models.Q(models.Q(('reason', 'MANUAL'), _negated=True), ('asked_by', None)), _connector='OR'), name='reforecast_person_asks'),
            ),
        ]),
        EnforceTenancy("fx"),
        AuditedTables(*TABLES),
        AppendOnly("fx_hedgeneed", "fx_forecastbasis", "fx_dealfile", "fx_dealfilerow"),
        migrations.RunSQL(suggestion_guards.GUARDS, migrations.RunSQL.noop),
    ]
