"""Decisions carry a second factor that was shown for their content."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from approvals import guards
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0004_chains'),
        ('core', '0006_step_up'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='decision',
            name='step_up',
            field=models.ForeignKey(help_text='The second factor that was shown for exactly this content.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.stepup'),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.UniqueConstraint(fields=('tenant', 'step_up'), name='decision_one_per_step_up'),
        ),
        EnforceTenancy("approvals"),
        migrations.RunSQL(guards.FUNCTIONS, migrations.RunSQL.noop),
    ]
