"""The trail asks less of each row; keys of deliveries hold once; a queue costs what is taken."""

from django.db import migrations, models
from django.db.models import F, Q

from core.audit.sql import FUNCTIONS
from core.events.sql import TAKING
from core.migrating import InOneStep
from core.tenancy.operations import KeysOnce


class Migration(migrations.Migration):
    dependencies = [("core", "0003_trail_without_keys")]

    operations = [
        InOneStep([
            migrations.AddIndex(
                model_name="delivery",
                index=models.Index(
                    F("tenant"),
                    F("consumer"),
                    F("due_at"),
                    F("event"),
                    condition=Q(state="WAITING"),
                    name="delivery_in_turn",
                ),
            ),
        ]),
        KeysOnce("core_delivery"),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(TAKING, migrations.RunSQL.noop),
    ]
