"""Expected flows are looked up by the reference that an entry carries."""

from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ("treasury", "0006_sweep_sets"),
    ]

    operations = [
        InOneStep([
            migrations.AddIndex(
                model_name='expectedflow',
                index=models.Index(fields=['tenant', 'account', 'end_to_end_id'], name='flow_by_reference'),
            ),
        ]),
    ]
