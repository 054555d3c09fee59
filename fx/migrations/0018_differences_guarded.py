"""Differences and fixings of a day: walls, audit trail, and what the database holds of them.

Deals that were fixed before have a fixing of their day from here on; a fixing changes with its
day alone, which its guard holds in place of the table being append-only.
"""

from django.db import migrations

from core.audit.operations import AuditedTables
from core.tenancy.operations import EnforceTenancy
from fx import closing_guards, difference_guards, fixing_guards, guards, leg_guards

FIXED_BEFORE = """
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT id FROM core_tenant LOOP
        PERFORM set_config('app.tenant', t::text, true);
        INSERT INTO fx_dayfixing (id, tenant_id, base, quote, fixed_on, version, rate, said_by,
                    from_rate_id, reason, state, entered_by_id, entered_at, note)
        SELECT DISTINCT ON (d.base, d.quote, f.fixed_on)
               gen_random_uuid(), f.tenant_id, d.base, d.quote, f.fixed_on, 1, f.rate, f.said_by,
               f.from_rate_id, '', 'IN_FORCE', f.entered_by_id, f.entered_at, ''
          FROM fx_ndffixing f JOIN fx_deal d ON d.id = f.deal_id
         ORDER BY d.base, d.quote, f.fixed_on, f.entered_at;
    END LOOP;
    PERFORM set_config('app.tenant', '', true);
END $$;
"""
CHANGES_WITH_ITS_DAY = """
DROP TRIGGER IF EXISTS append_only ON fx_ndffixing;
GRANT UPDATE (rate, said_by, from_rate_id, entered_by_id, entered_at) ON fx_ndffixing TO tms_app;
"""


class Migration(migrations.Migration):
    dependencies = [("fx", "0017_differences_and_fixings")]

    operations = [
        migrations.RunSQL(FIXED_BEFORE, migrations.RunSQL.noop),
        EnforceTenancy("fx"),
        AuditedTables("fx_dayfixing", "fx_receiptdifference"),
        migrations.RunSQL(CHANGES_WITH_ITS_DAY, migrations.RunSQL.noop),
        migrations.RunSQL(difference_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(fixing_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(closing_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(guards.DEALS, migrations.RunSQL.noop),
    ]
