"""A batch is begun in one statement, which names its tenant itself; the queue is tidied with pauses."""

from django.db import migrations

from core.events.sql import BEGINNING, TAKING


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0008_queue_by_its_indexes'),
    ]

    operations = [
        migrations.RunSQL(TAKING, migrations.RunSQL.noop),
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
    ]
