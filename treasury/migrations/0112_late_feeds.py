"""Statements that were late by their bank's own custom, told once."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.db import migrations, models

from core.audit.operations import Audited
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0012_personal_text'),
        ('treasury', '0111_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='LateFeed',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('for_day', models.DateField()),
                ('late_since', models.DateTimeField()),
                ('told_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'account', 'for_day'), name='late_feed_told_once')],
            },
        ),
        EnforceTenancy("treasury"),
        Audited(
            "treasury",
            exclude=(
                "entryobservation", "statementbalance", "referencecounter",
                "daymovement", "dailybalance",
            ),
            quiet_inserts=("bankentry",),
            secret_columns=("number",),
        ),
    ]
