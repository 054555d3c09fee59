"""Runs, value at risk of accounts, backtests."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
import django.db.models.expressions
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('risk', '0001_initial'),
    ]

    dependencies = [
        ('core', '0002_guards'),
        ('treasury', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='RiskRun',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('observed_at', models.DateTimeField()),
                ('accounts_count', models.PositiveIntegerField()),
                ('measured_count', models.PositiveIntegerField(help_text='Accounts with a figure.')),
                ('over_limit_count', models.PositiveIntegerField()),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('measured_count__lte', models.F('accounts_count')), ('over_limit_count__lte', models.F('measured_count'))), name='risk_run_counts_are_parts')],
            },
        ),
        migrations.CreateModel(
            name='AccountRisk',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                ('currency', models.CharField(max_length=3)),
                ('day', models.DateField()),
                ('observed_at', models.DateTimeField()),
                ('quantile', models.CharField(choices=[('hf1', 'hf1'), ('hf5', 'hf5'), ('hf6', 'hf6'), ('hf7', 'hf7'), ('hf8', 'hf8'), ('second_worst', 'second worst'), ('third_worst', 'third worst')], max_length=12)),
                ('confidence', models.DecimalField(decimal_places=6, max_digits=7)),
                ('window_days', models.PositiveSmallIntegerField()),
                ('observations', models.PositiveSmallIntegerField()),
                ('first_day', models.DateField(null=True)),
                ('last_day', models.DateField(null=True)),
                ('var_amount', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('expected_shortfall', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('normal_var', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('cornish_fisher_var', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('base_kind', models.CharField(max_length=20)),
                ('base_amount', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('var_bps', models.DecimalField(decimal_places=4, max_digits=14, null=True)),
                ('limit_bps', models.DecimalField(decimal_places=4, max_digits=14)),
                ('missing', models.CharField(blank=True, choices=[('TOO_FEW', 'too few business days are known'), ('NO_BASE', 'the balance it would be a share of is not positive'), ('NO_CALENDAR', "the currency's calendar does not say which days were open")], max_length=11)),
                ('inputs_sha256', models.CharField(max_length=64)),
                ('tested_day', models.DateField(null=True)),
                ('tested_var', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('tested_flow', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('is_exceeded', models.BooleanField(null=True)),
            ],
            options={
                'verbose_name': 'reading',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['tenant', 'account', '-day', '-id'], name='account_risk_newest'), models.Index(fields=['tenant', 'day', '-id'], name='account_risk_by_day')],
                'constraints': [models.CheckConstraint(condition=models.Q(('var_amount__gte', 0), ('var_amount__lt', Decimal('10000000000000000')), ('expected_shortfall__gte', 0), ('expected_shortfall__lt', Decimal('10000000000000000')), ('normal_var__gte', 0), ('normal_var__lt', Decimal('10000000000000000')), ('cornish_fisher_var__gte', 0), ('cornish_fisher_var__lt', Decimal('10000000000000000')), ('tested_var__gte', 0), ('tested_var__lt', Decimal('10000000000000000'))), name='account_risk_losses_are_not_negative'), models.CheckConstraint(condition=models.Q(('base_amount__gt', Decimal('-10000000000000000')), ('base_amount__lt', Decimal('10000000000000000')), ('tested_flow__gt', Decimal('-10000000000000000')), ('tested_flow__lt', Decimal('10000000000000000'))), name='account_risk_amounts_are_finite'), models.CheckConstraint(condition=models.Q(('var_bps__gte', 0), ('var_bps__lt', Decimal('10000000000000000')), ('limit_bps__gte', 0), ('limit_bps__lt', Decimal('10000000000000000'))), name='account_risk_bps_are_not_negative'), models.CheckConstraint(condition=models.Q(('confidence__gt', Decimal('0')), ('confidence__lt', Decimal('1'))), name='account_risk_confidence_is_a_share'), models.CheckConstraint(condition=models.Q(models.Q(('var_bps__isnull', False), ('missing', '')), models.Q(('var_bps', None), ('missing__in', ['TOO_FEW', 'NO_BASE', 'NO_CALENDAR'])), _connector='OR'), name='account_risk_says_why_nothing'), models.CheckConstraint(condition=models.Q(('var_bps', None), models.Q(('base_amount__gt', 0), ('base_amount__isnull', False), ('var_amount__isnull', False)), _connector='OR'), name='account_risk_share_has_its_parts'), models.CheckConstraint(condition=models.Q(models.Q(('last_day', None), ('observations', 0)), models.Q(('first_day__lte', models.F('last_day')), ('last_day__lt', models.F('day')), ('observations__gte', 1)), _connector='OR'), name='account_risk_knows_only_earlier_days'), models.CheckConstraint(condition=models.Q(('observations__lte', models.F('window_days')), ('window_days__lte', 2000)), name='account_risk_window_in_range'), models.CheckConstraint(condition=models.Q(models.Q(('is_exceeded', None), ('tested_day', None), ('tested_flow', None), ('tested_var', None)), models.Q(('is_exceeded__isnull', False), ('tested_day__lt', models.F('day')), ('tested_flow__isnull', False), ('tested_var__isnull', False)), _connector='OR'), name='account_risk_test_is_whole'), models.CheckConstraint(condition=models.Q(('is_exceeded', None), models.Q(('is_exceeded', True), ('tested_flow__lt', django.db.models.expressions.CombinedExpression(models.F('tested_var'), '*', models.Value(-1)))), models.Q(('is_exceeded', False), ('tested_flow__gte', django.db.models.expressions.CombinedExpression(models.F('tested_var'), '*', models.Value(-1)))), _connector='OR'), name='account_risk_exceeded_means_lost_more'), models.CheckConstraint(condition=models.Q(('inputs_sha256__regex', '^[0-9a-f]{64}$')), name='account_risk_digest_form')],
            },
        ),
        migrations.CreateModel(
            name='Backtest',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('risk', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='backtest', to='risk.accountrisk')),
                ('first_day', models.DateField()),
                ('last_day', models.DateField()),
                ('days', models.PositiveSmallIntegerField()),
                ('exceedances', models.PositiveSmallIntegerField()),
                ('expected', models.DecimalField(decimal_places=4, max_digits=9)),
                ('kupiec_statistic', models.DecimalField(decimal_places=6, max_digits=14)),
                ('kupiec_p', models.DecimalField(decimal_places=6, max_digits=7)),
                ('first_failure', models.PositiveSmallIntegerField(null=True)),
                ('tuff_statistic', models.DecimalField(decimal_places=6, max_digits=14, null=True)),
                ('tuff_p', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('christoffersen_statistic', models.DecimalField(decimal_places=6, max_digits=14, null=True)),
                ('christoffersen_p', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('conditional_statistic', models.DecimalField(decimal_places=6, max_digits=14, null=True)),
                ('conditional_p', models.DecimalField(decimal_places=6, max_digits=7, null=True)),
                ('zone', models.CharField(choices=[('GREEN', 'green'), ('YELLOW', 'yellow'), ('RED', 'red')], max_length=6)),
                ('plus', models.DecimalField(decimal_places=4, max_digits=5)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('kupiec_statistic__gte', 0), ('kupiec_statistic__lt', Decimal('10000000000000000')), ('tuff_statistic__gte', 0), ('tuff_statistic__lt', Decimal('10000000000000000')), ('christoffersen_statistic__gte', 0), ('christoffersen_statistic__lt', Decimal('10000000000000000')), ('conditional_statistic__gte', 0), ('conditional_statistic__lt', Decimal('10000000000000000')), ('expected__gte', 0), ('expected__lt', Decimal('10000000000000000'))), name='backtest_statistics_are_not_negative'), models.CheckConstraint(condition=models.Q(('kupiec_p__gte', 0), ('kupiec_p__lte', 1), ('tuff_p__gte', 0), ('tuff_p__lte', 1), ('christoffersen_p__gte', 0), ('christoffersen_p__lte', 1), ('conditional_p__gte', 0), ('conditional_p__lte', 1)), name='backtest_p_values'), models.CheckConstraint(condition=models.Q(('plus__gte', 0), ('plus__lte', 1)), name='backtest_plus_in_range'), models.CheckConstraint(condition=models.Q(('days__gte', 1), ('exceedances__lte', models.F('days')), ('first_day__lte', models.F('last_day'))), name='backtest_counts_are_parts'), models.CheckConstraint(condition=models.Q(models.Q(('exceedances', 0), ('first_failure', None)), models.Q(('exceedances__gte', 1), ('first_failure__gte', 1), ('first_failure__lte', models.F('days'))), _connector='OR'), name='backtest_first_failure_is_one_of_them')],
            },
        ),
    ]
