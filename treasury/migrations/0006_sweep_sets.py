"""Sweeps decided for many accounts at once; a reported balance is recorded once per name.

What a product holds is read from an index of its own. Foreign keys of decisions and orders hold
once, with the tenant: a key of one column goes where another key of the same table contains that
column and the tenant, which is part of the referenced row's own key.
"""

from django.db import migrations, models

from core.migrating import InOneStep
from core.tenancy.operations import KeysOnce
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ("treasury", "0005_sweep_lines_guarded"),
    ]

    operations = [
        InOneStep([
            migrations.AddConstraint(
                model_name='statement',
                constraint=models.UniqueConstraint(
                    condition=models.Q(('source', 'API'), models.Q(('state', 'DUPLICATE'), _negated=True)),
                    fields=('tenant', 'statement_ref'),
                    name='statement_reported_once',
                ),
            ),
            migrations.AddIndex(
                model_name='sweeporder',
                index=models.Index(
                    condition=models.Q(
                        models.Q(('settlement', 'RETURNED'), _negated=True),
                        models.Q(
                            models.Q(('state', 'FAILED'), _negated=True),
                            ('late_ack_at__isnull', False),
                            _connector='OR',
                        ),
                    ),
                    fields=['tenant', 'product', 'matures_on'],
                    include=['amount'],
                    name='sweep_order_held',
                ),
            ),
        ]),
        KeysOnce("treasury_sweepdecision", "treasury_sweeporder"),
        # The guards of decisions and orders refuse what they refused, and read a record once.
        migrations.RunSQL(guards.SWEEPS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
