"""Levels of escalation that widen who approves, lists of approvals, limits of broken glass."""

import core.ids
import core.tenancy.context
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from approvals import guards
from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0100_changes'),
        ('calendars', '0010_override_guard'),
        ('core', '0012_personal_text'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DecisionList',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('content_hashes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None)),
                ('made_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='decision',
            name='decision_one_per_step_up',
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='escalated_at',
            field=models.DateTimeField(help_text='When its present level was reached.', null=True),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='managers_from_level',
            field=models.PositiveSmallIntegerField(default=0, editable=False, help_text='From this level on managers may approve it too; set by the database.'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='recorded_at',
            field=models.DateTimeField(editable=False, help_text='Submitted, by the clock of the database.', null=True),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='escalated_at',
            field=models.DateTimeField(help_text='When its present level was reached.', null=True),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='managers_from_level',
            field=models.PositiveSmallIntegerField(default=0, editable=False, help_text='From this level on managers may approve it too; set by the database.'),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='recorded_at',
            field=models.DateTimeField(editable=False, help_text='Submitted, by the clock of the database.', null=True),
        ),
        migrations.AddField(
            model_name='decisionlist',
            name='checker',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='decisionlist',
            name='step_up',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.stepup'),
        ),
        migrations.AddField(
            model_name='decisionlist',
            name='tenant',
            field=models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant'),
        ),
        migrations.AddField(
            model_name='decision',
            name='listed',
            field=models.ForeignKey(help_text='The list that its second factor was shown for; empty: for its own content.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='approvals.decisionlist'),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.UniqueConstraint(condition=models.Q(('listed', None)), fields=('tenant', 'step_up'), name='decision_one_per_step_up'),
        ),
        migrations.AddConstraint(
            model_name='decisionlist',
            constraint=models.UniqueConstraint(fields=('tenant', 'step_up'), name='decision_list_per_step_up'),
        ),
        EnforceTenancy("approvals"),
        Audited("approvals"),
        AppendOnly("approvals_decisionlist"),
        migrations.RunSQL(
            guards.FUNCTIONS_OF_LEVELS + guards.FUNCTIONS + guards.LIST_TRIGGERS,
            migrations.RunSQL.noop,
        ),
    ]
