"""Authority limits, delegations, flags, who looked, and glass that was broken."""

import core.ids
import core.tenancy.context
import django.contrib.postgres.fields
import django.db.models.deletion
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from approvals import guards
from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0005_step_up'),
        ('core', '0006_step_up'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='approvalrequest',
            name='break_glass',
            field=models.JSONField(help_text='Incident and reason, when it goes over broken glass.', null=True),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='flags',
            field=models.JSONField(default=list, help_text='What its checkers should know: code, words, severity.'),
        ),
        migrations.AddField(
            model_name='decision',
            name='acknowledged',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), default=list, help_text='Codes of the flags that the checker acknowledged.', size=None),
        ),
        migrations.AddField(
            model_name='decision',
            name='on_behalf_of',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='decision',
            name='recorded_at',
            field=models.DateTimeField(editable=False, help_text='By the clock of the database, which sets it.', null=True),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='break_glass',
            field=models.JSONField(help_text='Incident and reason, when it goes over broken glass.', null=True),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='flags',
            field=models.JSONField(default=list, help_text='What its checkers should know: code, words, severity.'),
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('action', models.CharField(blank=True, help_text='Empty: every action.', max_length=60)),
                ('rail', models.CharField(blank=True, help_text='Empty: every rail.', max_length=20)),
                ('amount_usd_max', models.DecimalField(blank=True, decimal_places=4, help_text="Up to this USD-equivalent; empty: as far as both people's own authority.", max_digits=20, null=True)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=2000)),
                ('created_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('delegate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('delegator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-starts_at'],
            },
        ),
        migrations.AddField(
            model_name='decision',
            name='delegation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.delegation'),
        ),
        migrations.CreateModel(
            name='Viewing',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('content_hash', models.CharField(max_length=64)),
                ('viewed_at', models.DateTimeField()),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='viewings', to='approvals.approvalrequest')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('viewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['viewed_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='AuthorityLimit',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('per_transaction_usd', models.DecimalField(blank=True, decimal_places=4, help_text='Empty: no limit.', max_digits=20, null=True)),
                ('per_day_usd', models.DecimalField(blank=True, decimal_places=4, help_text='Of all approvals within 24 hours; empty: no limit.', max_digits=20, null=True)),
                ('reason', models.CharField(max_length=2000)),
                ('created_at', models.DateTimeField()),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('per_transaction_usd__gte', 0), ('per_transaction_usd__lt', Decimal('10000000000000000')), ('per_day_usd__gte', 0), ('per_day_usd__lt', Decimal('10000000000000000'))), name='authority_limit_is_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='BreakGlassReview',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('opened_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('findings', models.CharField(blank=True, max_length=2000)),
                ('closed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='break_glass_review', to='approvals.approvalrequest')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['due_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('closed_by', None), ('findings', '')), models.Q(('closed_at__isnull', False), ('closed_by__isnull', False), models.Q(('findings', ''), _negated=True)), _connector='OR'), name='break_glass_review_is_closed_in_full')],
            },
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('delegator', models.F('delegate')), _negated=True), name='delegation_to_somebody_else'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='delegation_ends_after_its_start'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='delegation_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('amount_usd_max__gte', 0), ('amount_usd_max__lt', Decimal('10000000000000000'))), name='delegation_cap_is_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='viewing',
            constraint=models.UniqueConstraint(fields=('tenant', 'request', 'viewer'), name='viewing_once_per_person'),
        ),
        EnforceTenancy("approvals"),
        Audited("approvals"),
        AppendOnly("approvals_authoritylimit", "approvals_viewing"),
        migrations.RunSQL(
            guards.FUNCTIONS + guards.FUNCTIONS_OF_AUTHORITY + guards.AUTHORITY_TRIGGERS,
            migrations.RunSQL.noop,
        ),
    ]
