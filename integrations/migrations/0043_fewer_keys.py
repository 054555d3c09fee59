"""The foreign keys of messages and lines hold once: with the tenant.

A key of one column goes where another key of the same table contains that column and the tenant,
which is part of the referenced row's own key. It said nothing more, and cost a look-up and a lock
on the referenced row with every change.
"""

from django.db import migrations

TABLES = (
    "integrations_message", "integrations_linestate", "integrations_linesample", "integrations_linenote",
)
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
    dependencies = [("integrations", "0042_files_guarded")]

    operations = [migrations.RunSQL(DROP, migrations.RunSQL.noop)]
