"""An entry's foreign keys hold once: with the tenant. Those without it say nothing more.

Each costs a look-up per row at commit; at 100,000 entries a day they were a fifth of the writing.
"""

from django.db import migrations

# A key of one column goes where another key of the same table contains that column and the tenant,
# which is part of the referenced row's own key.
DROP = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT c.conrelid::regclass AS held_by, c.conname
          FROM pg_constraint c
         WHERE c.conrelid IN ('treasury_bankentry'::regclass, 'treasury_entryobservation'::regclass)
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
    dependencies = [("treasury", "0100_four_eyes")]

    operations = [migrations.RunSQL(DROP, migrations.RunSQL.noop)]
