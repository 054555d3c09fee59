"""The day on which the money of a deal moves, kept by the database from the deal's legs."""

from django.db import migrations, models

from fx import guards, moving_guards

# The trigger fills it in.
OF_ALL_DEALS = """
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT id FROM core_tenant LOOP
        PERFORM set_config('app.tenant', t::text, true);
        UPDATE fx_deal SET settles_on = NULL;
    END LOOP;
    PERFORM set_config('app.tenant', '', true);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("fx", "0018_differences_guarded")]

    operations = [
        migrations.AddField(
            model_name="deal",
            name="settles_on",
            field=models.DateField(
                editable=False,
                help_text="The last day on which its money moves; the database keeps it by its"
                " legs.",
                null=True,
            ),
        ),
        migrations.RunSQL(guards.DEALS, migrations.RunSQL.noop),
        migrations.RunSQL(moving_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(OF_ALL_DEALS, migrations.RunSQL.noop),
    ]
