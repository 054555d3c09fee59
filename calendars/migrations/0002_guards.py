"""The wall around calendars and rails, their trail, four eyes, and overrides of cut-offs."""

from django.db import migrations

from calendars import guards
from core.audit.operations import Audited
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy

class Migration(migrations.Migration):
    replaces = [("calendars", "0010_override_guard")]
    dependencies = [
        ("calendars", "0001_tables"),
    ]

    operations = [
        EnforceTenancy("calendars"),
        Audited("calendars"),
        Governed("calendars_calendar"),
        Governed("calendars_weekendrule"),
        Governed("calendars_holiday"),
        Governed("calendars_rail"),
        Governed("calendars_railwindow"),
        Governed("calendars_bankcutoff"),
        migrations.RunSQL(guards.QUESTIONS + guards.OVERRIDES, migrations.RunSQL.noop),
    ]
