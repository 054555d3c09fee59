"""The trace that the news of an order belongs to."""

from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ("integrations", "0002_guards"),
    ]

    operations = [
        InOneStep([
            migrations.AddField(
                model_name='message',
                name='correlation_id',
                field=models.UUIDField(help_text='What the news of an order belongs to.', null=True),
            ),
        ]),
    ]
