"""What only grows is tidied slowly; a process of the version before finds its function again."""

from django.db import migrations

from core.events.sql import BEGINNING
from core.migrating import unhurried


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0009_begun_in_one_go'),
    ]

    operations = [
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
        unhurried('core_auditentry', 'core_auditlink', 'core_outboxevent'),
    ]
