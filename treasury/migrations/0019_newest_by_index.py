"""The newest balance is the first entry of its index; refused orders have one of their own."""

from django.db import migrations, models

from core.migrating import InOneStep
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0008_queue_by_its_indexes'),
        ('treasury', '0018_fewer_indexes'),
    ]

    operations = [
        InOneStep([
            migrations.RemoveIndex(
                model_name='statementbalance',
                name='balance_latest',
            ),
            migrations.AddIndex(
                model_name='statementbalance',
                index=models.Index(fields=['tenant', 'account', 'code', 'as_of', 'id'], name='balance_latest'),
            ),
            migrations.AddIndex(
                model_name='sweeporder',
                index=models.Index(condition=models.Q(('release', 'WAITING'), ('state', 'FAILED')), fields=['tenant', 'account', 'cutoff_at'], name='sweep_order_refused'),
            ),
        ]),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
