"""That a batch is begun is counted in one statement, which names its tenant itself."""

from django.db import migrations

from core.events.sql import BEGINNING


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0008_queue_by_its_indexes'),
    ]

    operations = [
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
    ]
