"""Indexes that an event and its deliveries do not need at the hour when they are written."""

import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0006_queue_goes_on'),
    ]

    operations = [
        InOneStep([
            migrations.RemoveConstraint(
                model_name='delivery',
                name='delivery_once_per_consumer',
            ),
            migrations.RemoveConstraint(
                model_name='outboxevent',
                name='outbox_sequence',
            ),
            migrations.RemoveIndex(
                model_name='outboxevent',
                name='outbox_unrelayed',
            ),
            migrations.AlterField(
                model_name='delivery',
                name='event',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='core.outboxevent'),
            ),
            migrations.AddIndex(
                model_name='outboxevent',
                index=models.Index(condition=models.Q(('relayed_at', None), ('sequence__isnull', False)), fields=['tenant', 'sequence'], name='outbox_unrelayed'),
            ),
            migrations.AddConstraint(
                model_name='delivery',
                constraint=models.UniqueConstraint(fields=('tenant', 'event', 'consumer'), name='delivery_once_per_consumer'),
            ),
            migrations.AddConstraint(
                model_name='outboxevent',
                constraint=models.UniqueConstraint(condition=models.Q(('sequence__isnull', False)), fields=('tenant', 'sequence'), name='outbox_sequence'),
            ),
        ]),
    ]
