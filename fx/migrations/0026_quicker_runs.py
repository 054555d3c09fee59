"""A day's run writes thousands of rows: fewer indexes and keys to keep, reversals asked by key."""

import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep
from core.tenancy.operations import KeysOnce
from fx import valuation_guards


class Migration(migrations.Migration):

    dependencies = [
        ('fx', '0025_differences_hold'),
    ]

    operations = [
        InOneStep([
            migrations.AlterField(
                model_name='dealvaluation',
                name='deal',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='valuations', to='fx.deal'),
            ),
            migrations.AlterField(
                model_name='dealvaluation',
                name='run',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='valuations', to='fx.revaluationrun'),
            ),
            migrations.AlterField(
                model_name='pnlentry',
                name='earlier',
                field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='later', to='fx.pnlentry'),
            ),
            migrations.AlterField(
                model_name='pnlentry',
                name='valuation',
                field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='fx.dealvaluation'),
            ),
        ]),
        KeysOnce("fx_dealvaluation", "fx_pnlentry"),
        migrations.RunSQL(valuation_guards.PNL, migrations.RunSQL.noop),
    ]
