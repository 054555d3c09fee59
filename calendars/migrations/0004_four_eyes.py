"""Calendars, weekends, holidays, rails and their windows come under four eyes."""

from django.db import migrations

from core.changes.operations import Governed


class Migration(migrations.Migration):
    dependencies = [("calendars", "0003_pending_is_not_negative"), ("core", "0004_four_eyes")]

    operations = [
        Governed("calendars_calendar"),
        Governed("calendars_weekendrule"),
        Governed("calendars_holiday"),
        Governed("calendars_rail"),
        Governed("calendars_railwindow"),
        Governed("calendars_bankcutoff"),
    ]
