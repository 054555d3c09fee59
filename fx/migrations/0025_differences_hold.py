"""What the database holds of differences of nets and parts, and of their bookings.

Differences that were accepted before are booked here, on the day they were accepted.
"""

from django.db import migrations

from core.tenancy.operations import EnforceTenancy
from fx import difference_guards, leg_guards, net_guards, valuation_guards

ACCEPTED_BEFORE = """
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT id FROM core_tenant LOOP
        PERFORM set_config('app.tenant', t::text, true);
        INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd, usd_rate,
                    difference_id, booked_at)
        SELECT gen_random_uuid(), r.tenant_id, l.deal_id, 'DIFFERENCE', 0,
               (r.decided_at AT TIME ZONE 'UTC')::date, r.amount_usd, r.usd_rate, r.id, r.decided_at
          FROM fx_receiptdifference r JOIN fx_dealleg l ON l.id = r.leg_id
         WHERE r.state = 'ACCEPTED';
    END LOOP;
    PERFORM set_config('app.tenant', '', true);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("fx", "0024_differences_booked")]

    operations = [
        EnforceTenancy("fx"),
        migrations.RunSQL(difference_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(net_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(valuation_guards.PNL, migrations.RunSQL.noop),
        migrations.RunSQL(ACCEPTED_BEFORE, migrations.RunSQL.noop),
    ]
