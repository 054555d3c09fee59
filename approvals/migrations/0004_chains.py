"""Rules by entity and step, requests that are sent back, decisions in their order."""

import django_fsm
from django.conf import settings
from django.db import migrations, models

from approvals import guards


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0003_without_money'),
        ('core', '0002_walls'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='approval_request_state_known',
        ),
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='approval_request_count_in_range',
        ),
        migrations.RemoveConstraint(
            model_name='approvalrule',
            name='approval_rule_once',
        ),
        migrations.RemoveConstraint(
            model_name='decision',
            name='decision_outcome_known',
        ),
        migrations.RemoveConstraint(
            model_name='decision',
            name='decision_reject_has_reason',
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='entity',
            field=models.UUIDField(help_text='The legal entity that it is about.', null=True),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='needs',
            field=models.JSONField(default=list, help_text='What is needed in each step: count and manager_count, in order.'),
        ),
        migrations.AddField(
            model_name='approvalrule',
            name='entity',
            field=models.UUIDField(blank=True, help_text='Empty: every legal entity.', null=True),
        ),
        migrations.AddField(
            model_name='approvalrule',
            name='step',
            field=models.PositiveSmallIntegerField(default=1, help_text='Approvals of a step count once the earlier steps are satisfied.'),
        ),
        migrations.AddField(
            model_name='decision',
            name='position',
            field=models.PositiveSmallIntegerField(default=0, editable=False, help_text='In which order the decisions came; set by the database.'),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='entity',
            field=models.UUIDField(help_text='The legal entity that it is about.', null=True),
        ),
        migrations.AddField(
            model_name='historicalapprovalrequest',
            name='needs',
            field=models.JSONField(default=list, help_text='What is needed in each step: count and manager_count, in order.'),
        ),
        migrations.AlterField(
            model_name='approvalrequest',
            name='state',
            field=django_fsm.FSMField(choices=[('PENDING', 'pending'), ('APPROVED', 'approved'), ('REJECTED', 'rejected'), ('CANCELLED', 'cancelled'), ('EXPIRED', 'expired'), ('VOIDED', 'voided'), ('RETURNED', 'returned for changes')], default='PENDING', max_length=10, protected=True),
        ),
        migrations.AlterField(
            model_name='decision',
            name='outcome',
            field=models.CharField(choices=[('APPROVE', 'approve'), ('REJECT', 'reject'), ('CHANGES', 'request changes')], max_length=8),
        ),
        migrations.AlterField(
            model_name='historicalapprovalrequest',
            name='state',
            field=django_fsm.FSMField(choices=[('PENDING', 'pending'), ('APPROVED', 'approved'), ('REJECTED', 'rejected'), ('CANCELLED', 'cancelled'), ('EXPIRED', 'expired'), ('VOIDED', 'voided'), ('RETURNED', 'returned for changes')], default='PENDING', max_length=10, protected=True),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'APPROVED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'VOIDED', 'RETURNED'])), name='approval_request_state_known'),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(('required_count__gte', 1), ('required_count__lte', 45), ('required_manager_count__lte', 45)), name='approval_request_count_in_range'),
        ),
        migrations.AddConstraint(
            model_name='approvalrule',
            constraint=models.CheckConstraint(condition=models.Q(('step__gte', 1), ('step__lte', 5)), name='approval_rule_step_in_range'),
        ),
        migrations.AddConstraint(
            model_name='approvalrule',
            constraint=models.UniqueConstraint(fields=('tenant', 'action', 'amount_above_usd', 'currency', 'rail', 'entity', 'step', 'role', 'required_count'), name='approval_rule_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['APPROVE', 'REJECT', 'CHANGES'])), name='decision_outcome_known'),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.CheckConstraint(condition=models.Q(('outcome', 'APPROVE'), models.Q(('reason', ''), _negated=True), _connector='OR'), name='decision_reject_has_reason'),
        ),
        migrations.RunSQL(
            "DROP FUNCTION IF EXISTS approvals_required_managers(text, numeric, text, text);"
            + guards.FUNCTIONS,
            migrations.RunSQL.noop,
        ),
    ]
