"""Youngers of an event that is tried again wait for it without taking the places of a batch."""

from django.db import migrations

from core.events.sql import BEGINNING, TAKING


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0005_trail_by_statement"),
        ("integrations", "0004_bodies_and_batches"),
    ]

    operations = [
        migrations.RunSQL(TAKING, migrations.RunSQL.noop),
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
    ]
