"""Sweeps in fewer statements: what is decided, and what is refused, stays the same.

What a mandate has let through and what comes back to an account are read from indexes of their own,
so that both cost the same with the first order and with the millionth. Keys that an index of the
tenant begins with need none of their own.
"""

import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0004_quicker_trail_and_queue'),
        ('treasury', '0009_entry_parts'),
    ]

    operations = [
        InOneStep([
            migrations.AlterField(
                model_name='sweepdecision',
                name='account',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='treasury.bankaccount'),
            ),
            migrations.AlterField(
                model_name='sweeporder',
                name='account',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='sweeps', to='treasury.bankaccount'),
            ),
            migrations.AlterField(
                model_name='sweeporder',
                name='mandate',
                field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='treasury.sweepmandate'),
            ),
            migrations.AlterField(
                model_name='sweeporder',
                name='product',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='treasury.sweepproduct'),
            ),
            migrations.AddIndex(
                model_name='sweeporder',
                index=models.Index(condition=models.Q(models.Q(('settlement', 'RETURNED'), _negated=True), models.Q(models.Q(('state', 'FAILED'), _negated=True), ('late_ack_at__isnull', False), _connector='OR')), fields=['tenant', 'account', 'matures_on'], include=('product', 'amount'), name='sweep_order_ladder'),
            ),
            migrations.AddIndex(
                model_name='sweeporder',
                index=models.Index(condition=models.Q(('release', 'MANDATE'), models.Q(models.Q(('state', 'FAILED'), _negated=True), ('late_ack_at__isnull', False), _connector='OR')), fields=['tenant', 'mandate', 'day'], include=('amount', 'id'), name='sweep_order_used'),
            ),
        ]),
        migrations.RunSQL(guards.SWEEPS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
