"""Cash pools under four eyes; runs, moves, pairs and loans kept; who may pool what, held here."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
import django.db.models.expressions
from decimal import Decimal
from django.db import migrations, models

from core.migrating import InOneStep

from core.audit.operations import AppendOnly, AuditedTables
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_guards'),
        ("treasury", "0002_guards"),
    ]

    operations = [
        InOneStep([
            migrations.AlterField(
                model_name='historicalproposal',
                name='purpose',
                field=models.CharField(choices=[('RDA_PREFUND', 'nostro prefunding'), ('MANUAL', 'manual transfer'), ('TOP_UP', 'top-up of a prefunding'), ('FX_SETTLEMENT', 'fx settlement'), ('SWEEP', 'sweep'), ('POOL', 'cash pooling')], max_length=14),
            ),
            migrations.AlterField(
                model_name='prefundingrequest',
                name='purpose',
                field=models.CharField(choices=[('RDA_PREFUND', 'nostro prefunding'), ('MANUAL', 'manual transfer'), ('TOP_UP', 'top-up of a prefunding'), ('FX_SETTLEMENT', 'fx settlement'), ('SWEEP', 'sweep'), ('POOL', 'cash pooling')], default='RDA_PREFUND', max_length=14),
            ),
            migrations.AlterField(
                model_name='proposal',
                name='purpose',
                field=models.CharField(choices=[('RDA_PREFUND', 'nostro prefunding'), ('MANUAL', 'manual transfer'), ('TOP_UP', 'top-up of a prefunding'), ('FX_SETTLEMENT', 'fx settlement'), ('SWEEP', 'sweep'), ('POOL', 'cash pooling')], max_length=14),
            ),
            migrations.CreateModel(
                name='CashPool',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('code', models.CharField(max_length=20)),
                    ('name', models.CharField(max_length=70)),
                    ('kind', models.CharField(choices=[('ZERO_BALANCE', 'zero balance: everything goes to the header'), ('TARGET_BALANCE', 'target balance: each account keeps its target'), ('NOTIONAL', 'notional: nothing moves, interest is on the sum')], max_length=14)),
                    ('currency', models.CharField(max_length=3)),
                    ('header_floor', models.DecimalField(decimal_places=4, default=Decimal('0'), help_text='What always stays on the header.', max_digits=20)),
                    ('shortfall_rule', models.CharField(choices=[('PRIORITY', 'by priority'), ('PRO_RATA', 'in proportion')], default='PRIORITY', max_length=8)),
                    ('is_bank_run', models.BooleanField(default=False, help_text='The bank moves the money; it is only paired.', verbose_name='run by the bank')),
                    ('lead_minutes', models.PositiveSmallIntegerField(default=120, help_text='How long before its first cut-off a day is decided.')),
                    ('intercompany_rate', models.DecimalField(decimal_places=8, default=Decimal('0'), help_text='What companies pay each other for lent money: 0.0385 for 3.85 %.', max_digits=12)),
                    ('day_count', models.CharField(choices=[('ACT_360', 'actual/360'), ('ACT_365F', 'actual/365 fixed')], default='ACT_360', max_length=8)),
                    ('credit_rate', models.DecimalField(decimal_places=8, default=Decimal('0'), help_text="Notional: what the bank pays on the pool's credit balance.", max_digits=12)),
                    ('debit_rate', models.DecimalField(decimal_places=8, default=Decimal('0'), help_text="Notional: what the bank takes on the pool's debit balance.", max_digits=12)),
                    ('is_active', models.BooleanField(default=True)),
                    ('header', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='headed_pools', to='treasury.bankaccount')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['code'],
                },
            ),
            migrations.CreateModel(
                name='CashPoolMember',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('target', models.DecimalField(decimal_places=4, default=Decimal('0'), max_digits=20)),
                    ('minimum', models.DecimalField(decimal_places=4, default=Decimal('0'), help_text='Less is not worth a transfer.', max_digits=20, verbose_name='smallest move')),
                    ('multiple', models.DecimalField(decimal_places=4, default=Decimal('0.01'), help_text='Moves are multiples of this.', max_digits=20)),
                    ('lower', models.DecimalField(blank=True, decimal_places=4, help_text='Funded below this balance.', max_digits=20, null=True, verbose_name='lower trigger')),
                    ('upper', models.DecimalField(blank=True, decimal_places=4, help_text='Swept above this balance.', max_digits=20, null=True, verbose_name='upper trigger')),
                    ('is_one_way', models.BooleanField(default=False, help_text='Money only goes up; it is never funded.', verbose_name='one way')),
                    ('priority', models.PositiveSmallIntegerField(default=100, help_text='Lower numbers are funded first.')),
                    ('is_poolable', models.BooleanField(default=True)),
                    ('reason', models.CharField(blank=True, help_text='Why its money may not be pooled.', max_length=140)),
                    ('credit_rate', models.DecimalField(decimal_places=8, default=Decimal('0'), help_text='Notional: what its credit balance would earn alone.', max_digits=12)),
                    ('debit_rate', models.DecimalField(decimal_places=8, default=Decimal('0'), help_text='Notional: what its debit balance would cost alone.', max_digits=12)),
                    ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pool_places', to='treasury.bankaccount')),
                    ('pool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='treasury.cashpool')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['pool', 'priority', 'account'],
                },
            ),
            migrations.CreateModel(
                name='PoolPair',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('value_date', models.DateField()),
                    ('rate', models.DecimalField(decimal_places=8, default=Decimal('0'), max_digits=12)),
                    ('day_count', models.CharField(choices=[('ACT_360', 'actual/360'), ('ACT_365F', 'actual/365 fixed')], max_length=8)),
                    ('paired_at', models.DateTimeField()),
                    ('credit_entry', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankentry')),
                    ('debit_entry', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankentry')),
                    ('pool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pairs', to='treasury.cashpool')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['-value_date', '-id'],
                },
            ),
            migrations.CreateModel(
                name='IntercompanyEntry',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('kind', models.CharField(choices=[('LOAN', 'lent'), ('REVERSAL', 'reversed: the money came back')], max_length=8)),
                    ('currency', models.CharField(max_length=3)),
                    ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('value_date', models.DateField()),
                    ('rate', models.DecimalField(decimal_places=8, default=Decimal('0'), max_digits=12)),
                    ('day_count', models.CharField(choices=[('ACT_360', 'actual/360'), ('ACT_365F', 'actual/365 fixed')], max_length=8)),
                    ('booked_at', models.DateTimeField()),
                    ('borrower', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.legalentity')),
                    ('lender', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.legalentity')),
                    ('reverses', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='treasury.intercompanyentry')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('transfer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='intercompany', to='treasury.transfer')),
                    ('pair', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='intercompany', to='treasury.poolpair')),
                ],
                options={
                    'verbose_name_plural': 'intercompany entries',
                    'ordering': ['-value_date', '-id'],
                },
            ),
            migrations.CreateModel(
                name='PoolRun',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('day', models.DateField(help_text="The business date in the header's time zone.")),
                    ('decided_at', models.DateTimeField()),
                    ('header_before', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('header_after', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('swept', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('funded', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('short', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('rate', models.DecimalField(decimal_places=8, default=Decimal('0'), max_digits=12)),
                    ('day_count', models.CharField(choices=[('ACT_360', 'actual/360'), ('ACT_365F', 'actual/365 fixed')], max_length=8)),
                    ('record', models.TextField()),
                    ('record_sha256', models.CharField(max_length=64)),
                    ('pool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='treasury.cashpool')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ],
                options={
                    'ordering': ['-day', '-id'],
                },
            ),
            migrations.CreateModel(
                name='PoolMove',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('direction', models.CharField(choices=[('UP', 'up to the header'), ('DOWN', 'down from the header'), ('NONE', 'stays')], max_length=4)),
                    ('reason', models.CharField(max_length=20)),
                    ('before', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('target', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('wanted', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('amount', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('after', models.DecimalField(decimal_places=4, max_digits=20)),
                    ('problem', models.TextField(blank=True)),
                    ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                    ('proposal', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='pool_move', to='treasury.proposal')),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='moves', to='treasury.poolrun')),
                ],
                options={
                    'ordering': ['run', 'id'],
                },
            ),
            migrations.AddConstraint(
                model_name='cashpool',
                constraint=models.UniqueConstraint(fields=('tenant', 'code'), name='cash_pool_code'),
            ),
            migrations.AddConstraint(
                model_name='cashpool',
                constraint=models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z][A-Z0-9_-]*$')), name='cash_pool_code_form'),
            ),
            migrations.AddConstraint(
                model_name='cashpool',
                constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='cash_pool_currency_form'),
            ),
            migrations.AddConstraint(
                model_name='cashpool',
                constraint=models.CheckConstraint(condition=models.Q(('header_floor__gte', 0), ('header_floor__lt', Decimal('10000000000000000'))), name='cash_pool_floor_is_not_negative'),
            ),
            migrations.AddConstraint(
                model_name='cashpool',
                constraint=models.CheckConstraint(condition=models.Q(('intercompany_rate__gt', -1), ('intercompany_rate__lt', 1), ('credit_rate__gt', -1), ('credit_rate__lt', 1), ('debit_rate__gt', -1), ('debit_rate__lt', 1)), name='cash_pool_rates_are_shares'),
            ),
            migrations.AddConstraint(
                model_name='cashpool',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_bank_run', False), ('kind', 'NOTIONAL')), models.Q(models.Q(('kind', 'NOTIONAL'), _negated=True), ('header__isnull', False)), _connector='OR'), name='cash_pool_that_moves_money_has_a_header'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.UniqueConstraint(fields=('tenant', 'pool', 'account'), name='cash_pool_member_once'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.CheckConstraint(condition=models.Q(('target__gte', 0), ('target__lt', Decimal('10000000000000000')), ('minimum__gte', 0), ('minimum__lt', Decimal('10000000000000000')), ('upper__gte', 0), ('upper__lt', Decimal('10000000000000000'))), name='cash_pool_member_amounts_are_not_negative'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.CheckConstraint(condition=models.Q(('multiple__gt', 0), ('multiple__lt', Decimal('10000000000000000'))), name='cash_pool_member_multiple_is_positive'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.CheckConstraint(condition=models.Q(('lower__gt', Decimal('-10000000000000000')), ('lower__lt', Decimal('10000000000000000'))), name='cash_pool_member_lower_is_finite'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('lower__isnull', True), ('lower__lte', models.F('target')), _connector='OR'), models.Q(('upper__isnull', True), ('upper__gte', models.F('target')), _connector='OR')), name='cash_pool_member_band_holds_its_target'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.CheckConstraint(condition=models.Q(('credit_rate__gt', -1), ('credit_rate__lt', 1), ('debit_rate__gt', -1), ('debit_rate__lt', 1)), name='cash_pool_member_rates_are_shares'),
            ),
            migrations.AddConstraint(
                model_name='cashpoolmember',
                constraint=models.CheckConstraint(condition=models.Q(('is_poolable', True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='cash_pool_member_says_why_not'),
            ),
            migrations.AddConstraint(
                model_name='poolpair',
                constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', Decimal('10000000000000000'))), name='pool_pair_amount_is_positive'),
            ),
            migrations.AddConstraint(
                model_name='poolpair',
                constraint=models.CheckConstraint(condition=models.Q(('rate__gt', -1), ('rate__lt', 1)), name='pool_pair_rate_is_a_share'),
            ),
            migrations.AddIndex(
                model_name='intercompanyentry',
                index=models.Index(fields=['tenant', 'lender', 'borrower', 'currency'], name='intercompany_by_pair'),
            ),
            migrations.AddIndex(
                model_name='intercompanyentry',
                index=models.Index(fields=['tenant', '-value_date', '-id'], name='intercompany_newest'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.UniqueConstraint(condition=models.Q(('kind', 'LOAN')), fields=('tenant', 'transfer'), name='intercompany_once_per_transfer'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.UniqueConstraint(condition=models.Q(('kind', 'LOAN')), fields=('tenant', 'pair'), name='intercompany_once_per_pair'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', Decimal('10000000000000000'))), name='intercompany_amount_is_positive'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.CheckConstraint(condition=models.Q(('rate__gt', -1), ('rate__lt', 1)), name='intercompany_rate_is_a_share'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.CheckConstraint(condition=models.Q(('lender', models.F('borrower')), _negated=True), name='intercompany_is_between_two'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('pair__isnull', True), ('transfer__isnull', False)), models.Q(('pair__isnull', False), ('transfer__isnull', True)), _connector='OR'), name='intercompany_has_one_ground'),
            ),
            migrations.AddConstraint(
                model_name='intercompanyentry',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'LOAN'), ('reverses__isnull', True)), models.Q(('kind', 'REVERSAL'), ('reverses__isnull', False)), _connector='OR'), name='intercompany_reversal_names_its_loan'),
            ),
            migrations.AddConstraint(
                model_name='poolrun',
                constraint=models.UniqueConstraint(fields=('tenant', 'pool', 'day'), name='pool_run_once_a_day'),
            ),
            migrations.AddConstraint(
                model_name='poolrun',
                constraint=models.CheckConstraint(condition=models.Q(('swept__gte', 0), ('swept__lt', Decimal('10000000000000000')), ('funded__gte', 0), ('funded__lt', Decimal('10000000000000000')), ('short__gte', 0), ('short__lt', Decimal('10000000000000000'))), name='pool_run_sums_are_not_negative'),
            ),
            migrations.AddConstraint(
                model_name='poolrun',
                constraint=models.CheckConstraint(condition=models.Q(('header_before__gt', Decimal('-10000000000000000')), ('header_before__lt', Decimal('10000000000000000')), ('header_after__gt', Decimal('-10000000000000000')), ('header_after__lt', Decimal('10000000000000000'))), name='pool_run_header_is_finite'),
            ),
            migrations.AddConstraint(
                model_name='poolrun',
                constraint=models.CheckConstraint(condition=models.Q(('header_after', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('header_before'), '+', models.F('swept')), '-', models.F('funded')))), name='pool_run_conserves_money'),
            ),
            migrations.AddConstraint(
                model_name='poolrun',
                constraint=models.CheckConstraint(condition=models.Q(('rate__gt', -1), ('rate__lt', 1)), name='pool_run_rate_is_a_share'),
            ),
            migrations.AddConstraint(
                model_name='poolmove',
                constraint=models.UniqueConstraint(fields=('tenant', 'run', 'account'), name='pool_move_once'),
            ),
            migrations.AddConstraint(
                model_name='poolmove',
                constraint=models.CheckConstraint(condition=models.Q(('target__gte', 0), ('target__lt', Decimal('10000000000000000')), ('wanted__gte', 0), ('wanted__lt', Decimal('10000000000000000')), ('amount__gte', 0), ('amount__lt', Decimal('10000000000000000'))), name='pool_move_amounts_are_not_negative'),
            ),
            migrations.AddConstraint(
                model_name='poolmove',
                constraint=models.CheckConstraint(condition=models.Q(('before__gt', Decimal('-10000000000000000')), ('before__lt', Decimal('10000000000000000')), ('after__gt', Decimal('-10000000000000000')), ('after__lt', Decimal('10000000000000000'))), name='pool_move_balances_are_finite'),
            ),
            migrations.AddConstraint(
                model_name='poolmove',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('after', django.db.models.expressions.CombinedExpression(models.F('before'), '-', models.F('amount'))), ('amount__gt', 0), ('direction', 'UP')), models.Q(('after', django.db.models.expressions.CombinedExpression(models.F('before'), '+', models.F('amount'))), ('direction', 'DOWN')), models.Q(('after', models.F('before')), ('amount', 0), ('direction', 'NONE')), _connector='OR'), name='pool_move_conserves_money'),
            ),
            migrations.AddConstraint(
                model_name='poolmove',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount', 0), ('proposal__isnull', True)), models.Q(('amount__gt', 0), ('problem', ''), ('proposal__isnull', False)), models.Q(('amount__gt', 0), ('proposal__isnull', True), models.Q(('problem', ''), _negated=True)), _connector='OR'), name='pool_move_is_proposed_or_says_why_not'),
            ),
        ]),
        EnforceTenancy("treasury"),
        AuditedTables(
            "treasury_cashpool",
            "treasury_cashpoolmember",
            "treasury_poolrun",
            "treasury_poolmove",
            "treasury_poolpair",
            "treasury_intercompanyentry",
        ),
        AppendOnly(
            "treasury_poolrun",
            "treasury_poolmove",
            "treasury_poolpair",
            "treasury_intercompanyentry",
        ),
        Governed("treasury_cashpool"),
        Governed("treasury_cashpoolmember"),
        migrations.RunSQL(guards.POOLS, migrations.RunSQL.noop),
    ]
