"""The account of a statement, a balance and a flow is in an index of its tenant already."""

import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('treasury', '0010_sweeps_in_one_go'),
    ]

    operations = [
        InOneStep([
            migrations.AlterField(
                model_name='expectedflow',
                name='account',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount'),
            ),
            migrations.AlterField(
                model_name='statement',
                name='account',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='statements', to='treasury.bankaccount'),
            ),
            migrations.AlterField(
                model_name='statementbalance',
                name='account',
                field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount'),
            ),
        ]),
    ]
