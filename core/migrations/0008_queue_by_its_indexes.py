"""Elders are found by one index only; whoever looks again and again passes by what is done."""

from django.db import migrations, models

from core.events.sql import BEGINNING, TAKING
from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0007_fewer_indexes'),
    ]

    operations = [
        InOneStep([
            migrations.RemoveIndex(
                model_name='delivery',
                name='delivery_waiting',
            ),
            migrations.RemoveIndex(
                model_name='delivery',
                name='delivery_in_turn',
            ),
            migrations.AddIndex(
                model_name='delivery',
                index=models.Index(models.F('tenant'), models.F('due_at'), condition=models.Q(('consumer__gt', ''), ('state', 'WAITING')), name='delivery_waiting'),
            ),
            migrations.AddIndex(
                model_name='delivery',
                index=models.Index(models.F('tenant'), models.F('consumer'), models.F('due_at'), models.F('event'), condition=models.Q(('consumer__gt', ''), ('state', 'WAITING')), name='delivery_in_turn'),
            ),
        ]),
        migrations.RunSQL(TAKING, migrations.RunSQL.noop),
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
    ]
