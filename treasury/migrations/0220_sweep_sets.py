"""Sweeps decided for many accounts at once; a reported balance is recorded once per name.

What a product holds is read from an index of its own. Foreign keys of decisions and orders hold
once, with the tenant: a key of one column goes where another key of the same table contains that
column and the tenant, which is part of the referenced row's own key.
"""

from django.db import migrations, models

from treasury import guards

TABLES = ("treasury_sweepdecision", "treasury_sweeporder")
_NAMES = ", ".join(f"'{one}'" for one in TABLES)
DROP = f"""
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT c.conrelid::regclass AS held_by, c.conname
          FROM pg_constraint c
         WHERE c.conrelid::regclass::text = ANY (ARRAY[{_NAMES}])
           AND c.contype = 'f' AND cardinality(c.conkey) = 1
           AND EXISTS (
               SELECT 1 FROM pg_constraint wider
                WHERE wider.conrelid = c.conrelid AND wider.contype = 'f'
                  AND cardinality(wider.conkey) = 2 AND wider.conkey @> c.conkey
                  AND (wider.confrelid = c.confrelid OR c.confrelid = 'core_tenant'::regclass))
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.held_by, one.conname);
    END LOOP;
END $$;
"""


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
        migrations.RunSQL(DROP, migrations.RunSQL.noop),
        # The guards of decisions and orders refuse what they refused, and read a record once.
        migrations.RunSQL(guards.SWEEPS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.SWEEP_BATCHES, migrations.RunSQL.noop),
    ]
