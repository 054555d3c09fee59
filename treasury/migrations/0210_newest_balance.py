"""The newest balance of each account, kept with its days: many positions in one scan."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

from core.tenancy.operations import EnforceTenancy
from treasury import guards

class Migration(migrations.Migration):

    dependencies = [
        ('core', '0110_reset_ends_sessions'),
        ('treasury', '0202_fewer_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='NewestBalance',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('value_date', models.DateField()),
                ('balance', models.DecimalField(decimal_places=4, max_digits=24)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'account'), name='newest_balance_once'), models.CheckConstraint(condition=models.Q(('balance__gt', Decimal('-100000000000000000000')), ('balance__lt', Decimal('100000000000000000000'))), name='newest_balance_is_finite')],
            },
        ),
        migrations.RemoveConstraint(model_name='dailybalance', name='daily_balance_once'),
        migrations.AddConstraint(
            model_name='dailybalance',
            constraint=models.UniqueConstraint(fields=('tenant', 'account', 'value_date'), name='daily_balance_once'),
        ),
        EnforceTenancy("treasury"),
        migrations.RunSQL(guards.NEWEST, migrations.RunSQL.noop),
    ]
