"""Rules, requests, decisions, delegations and limits."""

import core.ids
import core.tenancy.context
import django.contrib.postgres.fields
import django.db.models.deletion
import django_fsm
import simple_history.models
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('approvals', '0001_initial'),
        ('approvals', '0002_walls'),
        ('approvals', '0003_without_money'),
        ('approvals', '0004_chains'),
        ('approvals', '0005_step_up'),
        ('approvals', '0006_authority'),
        ('approvals', '0100_changes'),
    ]

    dependencies = [
        ('core', '0002_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        InOneStep([
            migrations.CreateModel(
                name='Delegation',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('delegator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('delegate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('action', models.CharField(blank=True, help_text='Empty: every action.', max_length=60)),
                    ('rail', models.CharField(blank=True, help_text='Empty: every rail.', max_length=20)),
                    ('amount_usd_max', models.DecimalField(blank=True, decimal_places=4, help_text="Up to this USD-equivalent; empty: as far as both people's own authority.", max_digits=20, null=True)),
                    ('starts_at', models.DateTimeField()),
                    ('ends_at', models.DateTimeField()),
                    ('reason', models.CharField(max_length=2000)),
                    ('created_at', models.DateTimeField()),
                    ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ],
                options={
                    'ordering': ['-starts_at'],
                    'constraints': [models.CheckConstraint(condition=models.Q(('delegator', models.F('delegate')), _negated=True), name='delegation_to_somebody_else'), models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='delegation_ends_after_its_start'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='delegation_has_reason'), models.CheckConstraint(condition=models.Q(('amount_usd_max__gte', 0), ('amount_usd_max__lt', Decimal('10000000000000000'))), name='delegation_cap_is_not_negative')],
                },
            ),
            migrations.CreateModel(
                name='AuthorityLimit',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('per_transaction_usd', models.DecimalField(blank=True, decimal_places=4, help_text='Empty: no limit.', max_digits=20, null=True)),
                    ('per_day_usd', models.DecimalField(blank=True, decimal_places=4, help_text='Of all approvals within 24 hours; empty: no limit.', max_digits=20, null=True)),
                    ('reason', models.CharField(max_length=2000)),
                    ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('created_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['-created_at'],
                    'constraints': [models.CheckConstraint(condition=models.Q(('per_transaction_usd__gte', 0), ('per_transaction_usd__lt', Decimal('10000000000000000')), ('per_day_usd__gte', 0), ('per_day_usd__lt', Decimal('10000000000000000'))), name='authority_limit_is_not_negative')],
                },
            ),
            migrations.CreateModel(
                name='ApprovalRule',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('action', models.CharField(blank=True, help_text='Empty: every action.', max_length=60)),
                    ('amount_above_usd', models.DecimalField(blank=True, decimal_places=4, help_text='Strictly above this USD-equivalent; empty: always.', max_digits=20, null=True)),
                    ('currency', models.CharField(blank=True, help_text='Empty: every currency.', max_length=3)),
                    ('rail', models.CharField(blank=True, help_text='Empty: every rail.', max_length=20)),
                    ('entity', models.UUIDField(blank=True, help_text='Empty: every legal entity.', null=True)),
                    ('step', models.PositiveSmallIntegerField(default=1, help_text='Approvals of a step count once the earlier steps are satisfied.')),
                    ('required_count', models.PositiveSmallIntegerField()),
                    ('role', models.CharField(choices=[('treasury_checker', 'checker'), ('treasury_manager', 'manager')], default='treasury_checker', max_length=40)),
                    ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('created_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['action', models.OrderBy(models.F('amount_above_usd'), nulls_first=True), 'id'],
                    'constraints': [models.CheckConstraint(condition=models.Q(('required_count__gte', 1), ('required_count__lte', 9)), name='approval_rule_count_in_range'), models.CheckConstraint(condition=models.Q(('role__in', ['treasury_checker', 'treasury_manager'])), name='approval_rule_role_checks'), models.CheckConstraint(condition=models.Q(('step__gte', 1), ('step__lte', 5)), name='approval_rule_step_in_range'), models.UniqueConstraint(fields=('tenant', 'action', 'amount_above_usd', 'currency', 'rail', 'entity', 'step', 'role', 'required_count'), name='approval_rule_once', nulls_distinct=False)],
                },
            ),
            migrations.CreateModel(
                name='HistoricalApprovalRequest',
                fields=[
                    ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                    ('action', models.CharField(max_length=60)),
                    ('subject_type', models.CharField(max_length=60)),
                    ('subject_id', models.UUIDField()),
                    ('subject_version', models.PositiveIntegerField()),
                    ('title', models.CharField(max_length=200)),
                    ('content', models.JSONField()),
                    ('content_hash', models.CharField(editable=False, max_length=64)),
                    ('maker_label', models.CharField(max_length=140)),
                    ('submitted_by', models.CharField(editable=False, max_length=120)),
                    ('involved_persons', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, help_text='Persons who made, edited or triggered it: none of them may check it.', size=None)),
                    ('amount', models.DecimalField(decimal_places=4, help_text='Empty: it is not about money.', max_digits=20, null=True)),
                    ('currency', models.CharField(blank=True, max_length=3)),
                    ('rail', models.CharField(blank=True, max_length=20)),
                    ('entity', models.UUIDField(help_text='The legal entity that it is about.', null=True)),
                    ('usd_equivalent', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                    ('usd_rate', models.DecimalField(decimal_places=10, max_digits=20, null=True)),
                    ('usd_rate_at', models.DateTimeField(null=True)),
                    ('flags', models.JSONField(default=list, help_text='What its checkers should know: code, words, severity.')),
                    ('break_glass', models.JSONField(help_text='Incident and reason, when it goes over broken glass.', null=True)),
                    ('required_count', models.PositiveSmallIntegerField()),
                    ('required_manager_count', models.PositiveSmallIntegerField(default=0)),
                    ('needs', models.JSONField(default=list, help_text='What is needed in each step: count and manager_count, in order.')),
                    ('policy_snapshot', models.JSONField()),
                    ('state', django_fsm.FSMField(choices=[('PENDING', 'pending'), ('APPROVED', 'approved'), ('REJECTED', 'rejected'), ('CANCELLED', 'cancelled'), ('EXPIRED', 'expired'), ('VOIDED', 'voided'), ('RETURNED', 'returned for changes')], default='PENDING', max_length=10, protected=True)),
                    ('submitted_at', models.DateTimeField()),
                    ('recorded_at', models.DateTimeField(editable=False, help_text='Submitted, by the clock of the database.', null=True)),
                    ('cutoff_at', models.DateTimeField(null=True)),
                    ('decided_at', models.DateTimeField(null=True)),
                    ('escalation_interval', models.DurationField()),
                    ('escalation_level', models.PositiveSmallIntegerField(default=0)),
                    ('escalated_at', models.DateTimeField(help_text='When its present level was reached.', null=True)),
                    ('next_escalation_at', models.DateTimeField(null=True)),
                    ('managers_from_level', models.PositiveSmallIntegerField(default=0, editable=False, help_text='From this level on managers may approve it too; set by the database.')),
                    ('reason', models.CharField(blank=True, max_length=2000)),
                    ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                    ('maker', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('history_id', models.AutoField(primary_key=True, serialize=False)),
                    ('history_date', models.DateTimeField(db_index=True)),
                    ('history_change_reason', models.CharField(max_length=100, null=True)),
                    ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                    ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ],
                options={
                    'verbose_name': 'historical approval request',
                    'verbose_name_plural': 'historical approval requests',
                    'ordering': ('-history_date', '-history_id'),
                    'get_latest_by': ('history_date', 'history_id'),
                },
                bases=(simple_history.models.HistoricalChanges, django_fsm.FSMModelMixin, models.Model),
            ),
            migrations.CreateModel(
                name='ApprovalRequest',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('action', models.CharField(max_length=60)),
                    ('subject_type', models.CharField(max_length=60)),
                    ('subject_id', models.UUIDField()),
                    ('subject_version', models.PositiveIntegerField()),
                    ('title', models.CharField(max_length=200)),
                    ('content', models.JSONField()),
                    ('content_hash', models.CharField(editable=False, max_length=64)),
                    ('maker', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('maker_label', models.CharField(max_length=140)),
                    ('submitted_by', models.CharField(editable=False, max_length=120)),
                    ('involved_persons', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, help_text='Persons who made, edited or triggered it: none of them may check it.', size=None)),
                    ('amount', models.DecimalField(decimal_places=4, help_text='Empty: it is not about money.', max_digits=20, null=True)),
                    ('currency', models.CharField(blank=True, max_length=3)),
                    ('rail', models.CharField(blank=True, max_length=20)),
                    ('entity', models.UUIDField(help_text='The legal entity that it is about.', null=True)),
                    ('usd_equivalent', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                    ('usd_rate', models.DecimalField(decimal_places=10, max_digits=20, null=True)),
                    ('usd_rate_at', models.DateTimeField(null=True)),
                    ('flags', models.JSONField(default=list, help_text='What its checkers should know: code, words, severity.')),
                    ('break_glass', models.JSONField(help_text='Incident and reason, when it goes over broken glass.', null=True)),
                    ('required_count', models.PositiveSmallIntegerField()),
                    ('required_manager_count', models.PositiveSmallIntegerField(default=0)),
                    ('needs', models.JSONField(default=list, help_text='What is needed in each step: count and manager_count, in order.')),
                    ('policy_snapshot', models.JSONField()),
                    ('state', django_fsm.FSMField(choices=[('PENDING', 'pending'), ('APPROVED', 'approved'), ('REJECTED', 'rejected'), ('CANCELLED', 'cancelled'), ('EXPIRED', 'expired'), ('VOIDED', 'voided'), ('RETURNED', 'returned for changes')], default='PENDING', max_length=10, protected=True)),
                    ('submitted_at', models.DateTimeField()),
                    ('recorded_at', models.DateTimeField(editable=False, help_text='Submitted, by the clock of the database.', null=True)),
                    ('cutoff_at', models.DateTimeField(null=True)),
                    ('decided_at', models.DateTimeField(null=True)),
                    ('escalation_interval', models.DurationField()),
                    ('escalation_level', models.PositiveSmallIntegerField(default=0)),
                    ('escalated_at', models.DateTimeField(help_text='When its present level was reached.', null=True)),
                    ('next_escalation_at', models.DateTimeField(null=True)),
                    ('managers_from_level', models.PositiveSmallIntegerField(default=0, editable=False, help_text='From this level on managers may approve it too; set by the database.')),
                    ('reason', models.CharField(blank=True, max_length=2000)),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [models.Index(condition=models.Q(('state', 'PENDING')), fields=['tenant', 'cutoff_at'], name='approval_request_pending'), models.Index(condition=models.Q(('state', 'PENDING')), fields=['tenant', 'next_escalation_at'], name='approval_request_to_escalate')],
                    'constraints': [models.UniqueConstraint(fields=('tenant', 'subject_type', 'subject_id', 'subject_version'), name='approval_request_per_version'), models.UniqueConstraint(condition=models.Q(('state', 'PENDING')), fields=('tenant', 'subject_type', 'subject_id'), name='approval_request_one_pending'), models.CheckConstraint(condition=models.Q(('usd_equivalent__gte', 0), ('usd_equivalent__lt', Decimal('10000000000000000')), ('usd_rate__gte', 0), ('usd_rate__lt', Decimal('10000000000000000'))), name='approval_request_worth_is_not_negative'), models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'APPROVED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'VOIDED', 'RETURNED'])), name='approval_request_state_known'), models.CheckConstraint(condition=models.Q(('required_count__gte', 1), ('required_count__lte', 45), ('required_manager_count__lte', 45)), name='approval_request_count_in_range'), models.CheckConstraint(condition=models.Q(('escalation_level__lte', 3)), name='approval_request_escalation_in_range'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('state', 'PENDING')), models.Q(models.Q(('state', 'PENDING'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='approval_request_closed_has_time'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$'), models.Q(('amount', None), ('currency', '')), _connector='OR'), name='approval_request_currency_code')],
                },
                bases=(django_fsm.FSMModelMixin, models.Model),
            ),
            migrations.CreateModel(
                name='DecisionList',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('checker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('step_up', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.stepup')),
                    ('content_hashes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None)),
                    ('made_at', models.DateTimeField(editable=False, null=True)),
                ],
                options={
                    'ordering': ['-id'],
                    'constraints': [models.UniqueConstraint(fields=('tenant', 'step_up'), name='decision_list_per_step_up')],
                },
            ),
            migrations.CreateModel(
                name='Decision',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='approvals.approvalrequest')),
                    ('maker', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('checker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('checker_person', models.CharField(editable=False, max_length=40)),
                    ('as_role', models.CharField(choices=[('treasury_checker', 'checker'), ('treasury_manager', 'manager')], editable=False, max_length=40)),
                    ('step_up', models.ForeignKey(help_text='The second factor that was shown for exactly this content.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.stepup')),
                    ('listed', models.ForeignKey(help_text='The list that its second factor was shown for; empty: for its own content.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='approvals.decisionlist')),
                    ('delegation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.delegation')),
                    ('on_behalf_of', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('acknowledged', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), default=list, help_text='Codes of the flags that the checker acknowledged.', size=None)),
                    ('recorded_at', models.DateTimeField(editable=False, help_text='By the clock of the database, which sets it.', null=True)),
                    ('position', models.PositiveSmallIntegerField(default=0, editable=False, help_text='In which order the decisions came; set by the database.')),
                    ('outcome', models.CharField(choices=[('APPROVE', 'approve'), ('REJECT', 'reject'), ('CHANGES', 'request changes')], max_length=8)),
                    ('reason', models.CharField(blank=True, max_length=2000)),
                    ('content_hash', models.CharField(max_length=64)),
                    ('auth_method', models.CharField(max_length=40)),
                    ('auth_at', models.DateTimeField(null=True)),
                    ('ip', models.GenericIPAddressField(null=True)),
                    ('decided_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [models.CheckConstraint(condition=models.Q(('maker', None), models.Q(('maker', models.F('checker')), _negated=True), _connector='OR'), name='decision_maker_is_not_checker'), models.UniqueConstraint(fields=('tenant', 'request', 'checker'), name='decision_once_per_checker'), models.UniqueConstraint(fields=('tenant', 'request', 'checker_person'), name='decision_once_per_person'), models.UniqueConstraint(condition=models.Q(('listed', None)), fields=('tenant', 'step_up'), name='decision_one_per_step_up'), models.CheckConstraint(condition=models.Q(('outcome__in', ['APPROVE', 'REJECT', 'CHANGES'])), name='decision_outcome_known'), models.CheckConstraint(condition=models.Q(('outcome', 'APPROVE'), models.Q(('reason', ''), _negated=True), _connector='OR'), name='decision_reject_has_reason')],
                },
            ),
            migrations.CreateModel(
                name='Viewing',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='viewings', to='approvals.approvalrequest')),
                    ('viewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('content_hash', models.CharField(max_length=64)),
                    ('viewed_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['viewed_at', 'id'],
                    'constraints': [models.UniqueConstraint(fields=('tenant', 'request', 'viewer'), name='viewing_once_per_person')],
                },
            ),
            migrations.CreateModel(
                name='BreakGlassReview',
                fields=[
                    ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                    ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                    ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='break_glass_review', to='approvals.approvalrequest')),
                    ('opened_at', models.DateTimeField()),
                    ('due_at', models.DateTimeField()),
                    ('closed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('closed_at', models.DateTimeField(null=True)),
                    ('findings', models.CharField(blank=True, max_length=2000)),
                ],
                options={
                    'ordering': ['due_at'],
                    'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('closed_by', None), ('findings', '')), models.Q(('closed_at__isnull', False), ('closed_by__isnull', False), models.Q(('findings', ''), _negated=True)), _connector='OR'), name='break_glass_review_is_closed_in_full')],
                },
            ),
        ]),
    ]
