"""A run may be of one currency, and says what asked for it."""

from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('liquidity', '0002_guards'),
    ]

    operations = [
        InOneStep([
            migrations.AddField(
                model_name='forecastrun',
                name='currency',
                field=models.CharField(blank=True, help_text='Empty is all of them.', max_length=3),
            ),
            migrations.AddField(
                model_name='forecastrun',
                name='reason',
                field=models.CharField(blank=True, help_text='What asked for it; empty is the daily pass.', max_length=11),
            ),
        ]),
    ]
