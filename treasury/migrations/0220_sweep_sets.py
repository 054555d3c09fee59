"""Sweeps decided for many accounts at once; a reported balance is recorded once per name."""

from django.db import migrations, models

from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('treasury', '0210_newest_balance'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='statement',
            constraint=models.UniqueConstraint(
                condition=models.Q(('source', 'API'), models.Q(('state', 'DUPLICATE'), _negated=True)),
                fields=('tenant', 'statement_ref'),
                name='statement_reported_once',
            ),
        ),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
