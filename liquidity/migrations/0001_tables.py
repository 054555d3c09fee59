"""Payout plans, patterns, forecasts and needs."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
import django.db.models.expressions
import django_fsm
import simple_history.models
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('liquidity', '0001_initial'),
    ]

    dependencies = [
        ('core', '0002_guards'),
        ('treasury', '0002_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalPayoutPlan',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('currency', models.CharField(max_length=3)),
                ('value_date', models.DateField()),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                ('kind', models.CharField(choices=[('REGULAR', "the day's ordinary payouts"), ('EXTRA', 'on top of the ordinary payouts')], default='REGULAR', max_length=7)),
                ('description', models.CharField(max_length=140)),
                ('source_ref', models.CharField(help_text="The payout system's own reference.", max_length=80)),
                ('state', django_fsm.FSMField(choices=[('PLANNED', 'planned'), ('CANCELLED', 'cancelled'), ('DONE', 'its day has passed')], default='PLANNED', max_length=9, protected=True)),
                ('created_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('closing_reason', models.CharField(blank=True, max_length=140)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                ('account', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.bankaccount')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical payout plan',
                'verbose_name_plural': 'historical payout plans',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.CreateModel(
            name='PayoutPlan',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                ('currency', models.CharField(max_length=3)),
                ('value_date', models.DateField()),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                ('kind', models.CharField(choices=[('REGULAR', "the day's ordinary payouts"), ('EXTRA', 'on top of the ordinary payouts')], default='REGULAR', max_length=7)),
                ('description', models.CharField(max_length=140)),
                ('source_ref', models.CharField(help_text="The payout system's own reference.", max_length=80)),
                ('state', django_fsm.FSMField(choices=[('PLANNED', 'planned'), ('CANCELLED', 'cancelled'), ('DONE', 'its day has passed')], default='PLANNED', max_length=9, protected=True)),
                ('created_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('closing_reason', models.CharField(blank=True, max_length=140)),
            ],
            options={
                'ordering': ['value_date', 'source_ref'],
                'indexes': [models.Index(fields=['tenant', 'account', 'value_date'], name='payout_plan_by_day')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'source_ref'), name='payout_plan_source_ref'), models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', 10000000000000000)), name='payout_plan_amount_is_positive'), models.CheckConstraint(condition=models.Q(('state__in', ['PLANNED', 'CANCELLED', 'DONE'])), name='payout_plan_state_known'), models.CheckConstraint(condition=models.Q(('kind__in', ['REGULAR', 'EXTRA'])), name='payout_plan_kind_known'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('state', 'PLANNED')), models.Q(models.Q(('state', 'PLANNED'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='payout_plan_closed_has_time')],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRecurringPattern',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('name', models.CharField(max_length=70)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                ('rule', models.CharField(choices=[('DAILY', 'daily'), ('WEEKDAYS', 'weekdays'), ('MONTH_DAY', 'month day'), ('MONTH_END', 'month end')], max_length=9)),
                ('weekday_mask', models.PositiveSmallIntegerField(default=0, help_text='For weekdays: bit mask, bit 0 is Monday.')),
                ('month_day', models.PositiveSmallIntegerField(default=0, help_text='For a day of the month: 1 to 31; short months use their last day.')),
                ('adjust', models.CharField(choices=[('NONE', 'none'), ('FOLLOWING', 'following'), ('PRECEDING', 'preceding')], default='FOLLOWING', help_text='Where an occurrence goes whose day is closed in the settlement calendar.', max_length=9)),
                ('valid_from', models.DateField()),
                ('valid_to', models.DateField(blank=True, null=True)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                ('account', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='treasury.bankaccount')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical recurring pattern',
                'verbose_name_plural': 'historical recurring patterns',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='RecurringPattern',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                ('name', models.CharField(max_length=70)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                ('rule', models.CharField(choices=[('DAILY', 'daily'), ('WEEKDAYS', 'weekdays'), ('MONTH_DAY', 'month day'), ('MONTH_END', 'month end')], max_length=9)),
                ('weekday_mask', models.PositiveSmallIntegerField(default=0, help_text='For weekdays: bit mask, bit 0 is Monday.')),
                ('month_day', models.PositiveSmallIntegerField(default=0, help_text='For a day of the month: 1 to 31; short months use their last day.')),
                ('adjust', models.CharField(choices=[('NONE', 'none'), ('FOLLOWING', 'following'), ('PRECEDING', 'preceding')], default='FOLLOWING', help_text='Where an occurrence goes whose day is closed in the settlement calendar.', max_length=9)),
                ('valid_from', models.DateField()),
                ('valid_to', models.DateField(blank=True, null=True)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['account', 'name'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'account', 'name'), name='recurring_pattern_name'), models.CheckConstraint(condition=models.Q(('amount__gt', -10000000000000000), ('amount__lt', 10000000000000000), models.Q(('amount', 0), _negated=True)), name='recurring_pattern_amount_is_finite'), models.CheckConstraint(condition=models.Q(models.Q(('month_day', 0), ('rule__in', ['DAILY', 'MONTH_END']), ('weekday_mask', 0)), models.Q(('month_day', 0), ('rule', 'WEEKDAYS'), ('weekday_mask__gte', 1), ('weekday_mask__lte', 127)), models.Q(('month_day__gte', 1), ('month_day__lte', 31), ('rule', 'MONTH_DAY'), ('weekday_mask', 0)), _connector='OR'), name='recurring_pattern_rule_is_complete'), models.CheckConstraint(condition=models.Q(('adjust__in', ['NONE', 'FOLLOWING', 'PRECEDING'])), name='recurring_pattern_adjust_known'), models.CheckConstraint(condition=models.Q(('valid_to', None), ('valid_to__gte', models.F('valid_from')), _connector='OR'), name='recurring_pattern_period_ordered')],
            },
        ),
        migrations.CreateModel(
            name='ForecastRun',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('as_of', models.DateTimeField()),
                ('horizon_days', models.PositiveSmallIntegerField()),
                ('accounts_count', models.PositiveIntegerField()),
                ('shortfalls_count', models.PositiveIntegerField()),
                ('refusals', models.JSONField(default=list, help_text='Accounts without a forecast: account, code and message.')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Forecast',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                ('currency', models.CharField(max_length=3)),
                ('as_of', models.DateTimeField()),
                ('day', models.DateField(help_text="The first day: today in the account's zone.")),
                ('horizon_days', models.PositiveSmallIntegerField()),
                ('model', models.CharField(max_length=40)),
                ('model_version', models.PositiveSmallIntegerField()),
                ('history_days', models.PositiveSmallIntegerField()),
                ('inputs_digest', models.CharField(max_length=64)),
                ('opening', models.DecimalField(decimal_places=4, max_digits=20)),
                ('floor', models.DecimalField(decimal_places=4, max_digits=20)),
                ('balance_as_of', models.DateTimeField(null=True)),
                ('is_stale_input', models.BooleanField()),
                ('need_basis', models.CharField(choices=[('point', 'point'), ('p90', 'upper')], max_length=5)),
                ('need_days', models.PositiveSmallIntegerField()),
                ('need_until', models.DateField()),
                ('required', models.DecimalField(decimal_places=4, max_digits=20)),
                ('available', models.DecimalField(decimal_places=4, max_digits=20)),
                ('shortfall', models.DecimalField(decimal_places=4, max_digits=20)),
                ('scaled_error', models.DecimalField(decimal_places=4, max_digits=8, null=True)),
                ('coverage', models.DecimalField(decimal_places=4, max_digits=5, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['tenant', 'account', '-id'], name='forecast_newest')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('required__lte', models.F('available')), ('shortfall', 0)), models.Q(('shortfall', django.db.models.expressions.CombinedExpression(models.F('required'), '-', models.F('available'))), ('shortfall__gt', 0)), _connector='OR'), name='forecast_shortfall_is_the_difference'), models.CheckConstraint(condition=models.Q(('opening__gt', Decimal('-10000000000000000')), ('opening__lt', Decimal('10000000000000000')), ('required__gt', Decimal('-10000000000000000')), ('required__lt', Decimal('10000000000000000')), ('available__gt', Decimal('-10000000000000000')), ('available__lt', Decimal('10000000000000000')), ('shortfall__gt', Decimal('-10000000000000000')), ('shortfall__lt', Decimal('10000000000000000'))), name='forecast_amounts_are_finite'), models.CheckConstraint(condition=models.Q(('floor__gte', 0), ('floor__lt', Decimal('10000000000000000'))), name='forecast_floor_is_not_negative'), models.CheckConstraint(condition=models.Q(('scaled_error__gte', 0), ('scaled_error__lt', 10000), ('coverage__gte', 0), ('coverage__lte', 1)), name='forecast_measures_in_range'), models.CheckConstraint(condition=models.Q(('horizon_days__gte', 1), ('horizon_days__lte', 92), ('need_days__gte', 1), ('need_days__lte', models.F('horizon_days'))), name='forecast_horizon_in_range')],
            },
        ),
        migrations.CreateModel(
            name='ForecastLine',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('forecast', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='liquidity.forecast')),
                ('day', models.DateField()),
                ('known_in', models.DecimalField(decimal_places=4, max_digits=20)),
                ('known_out', models.DecimalField(decimal_places=4, max_digits=20)),
                ('expected_in', models.DecimalField(decimal_places=4, max_digits=20)),
                ('expected_out', models.DecimalField(decimal_places=4, max_digits=20)),
                ('net', models.DecimalField(decimal_places=4, max_digits=20)),
                ('p10', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('p90', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('closing', models.DecimalField(decimal_places=4, max_digits=20)),
                ('closing_p10', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('closing_p90', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
            ],
            options={
                'ordering': ['day'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'forecast', 'day'), name='forecast_line_once_a_day'), models.CheckConstraint(condition=models.Q(('net__gt', Decimal('-10000000000000000')), ('net__lt', Decimal('10000000000000000'))), name='forecast_line_net_is_finite'), models.CheckConstraint(condition=models.Q(('p10__gt', Decimal('-10000000000000000')), ('p10__lt', Decimal('10000000000000000')), ('p90__gt', Decimal('-10000000000000000')), ('p90__lt', Decimal('10000000000000000'))), name='forecast_line_bounds_are_finite'), models.CheckConstraint(condition=models.Q(('closing__gt', Decimal('-10000000000000000')), ('closing__lt', Decimal('10000000000000000')), ('closing_p10__gt', Decimal('-10000000000000000')), ('closing_p10__lt', Decimal('10000000000000000')), ('closing_p90__gt', Decimal('-10000000000000000')), ('closing_p90__lt', Decimal('10000000000000000'))), name='forecast_line_closings_are_finite'), models.CheckConstraint(condition=models.Q(('net', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('known_in'), '+', models.F('expected_in')), '-', models.F('known_out')), '-', models.F('expected_out')))), name='forecast_line_net_is_the_sum'), models.CheckConstraint(condition=models.Q(('known_in__gte', 0), ('known_in__lt', Decimal('10000000000000000')), ('known_out__gte', 0), ('known_out__lt', Decimal('10000000000000000'))), name='forecast_line_known_not_negative'), models.CheckConstraint(condition=models.Q(('expected_in__gte', 0), ('expected_in__lt', Decimal('10000000000000000')), ('expected_out__gte', 0), ('expected_out__lt', Decimal('10000000000000000'))), name='forecast_line_usual_not_negative'), models.CheckConstraint(condition=models.Q(models.Q(('p10', None), ('p90', None)), models.Q(('p10__lte', models.F('net')), ('p90__gte', models.F('net'))), _connector='OR'), name='forecast_line_bounds_hold_the_point'), models.CheckConstraint(condition=models.Q(models.Q(('closing_p10', None), ('closing_p90', None)), models.Q(('closing_p10__lte', models.F('closing')), ('closing_p90__gte', models.F('closing'))), _connector='OR'), name='forecast_line_closing_bounds_hold_the_point')],
            },
        ),
    ]
