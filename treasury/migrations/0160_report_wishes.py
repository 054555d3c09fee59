"""A wish for a report has a rule of its own; it is no payment, and can never be one."""

from django.db import migrations

from treasury import guards


class Migration(migrations.Migration):
    dependencies = [
        ("treasury", "0150_periods"),
        ("integrations", "0031_routes_guarded"),
    ]

    operations = [
        migrations.RunSQL(guards.ASKING, migrations.RunSQL.noop),
    ]
