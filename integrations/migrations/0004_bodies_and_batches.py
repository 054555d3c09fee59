"""The trail leaves the bytes of messages out before it spells a row out; batches count beforehand."""

from django.db import migrations

from core.audit.sql import FUNCTIONS
from core.events.sql import BEGINNING, TAKING


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_quicker_trail_and_queue"),
        ("integrations", "0003_traces"),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(TAKING, migrations.RunSQL.noop),
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
    ]
