"""Sums of entries per day, kept by the database."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.db import migrations, models

from core.tenancy.operations import EnforceTenancy
from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0012_personal_text'),
        ('treasury', '0110_fewer_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='DailyBalance',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('value_date', models.DateField()),
                ('booked', models.DecimalField(decimal_places=4, max_digits=24)),
                ('balance', models.DecimalField(decimal_places=4, max_digits=24)),
            ],
        ),
        migrations.CreateModel(
            name='DayMovement',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('booking_date', models.DateField()),
                ('value_date', models.DateField()),
                ('amount', models.DecimalField(decimal_places=4, max_digits=24)),
                ('entries_count', models.IntegerField()),
            ],
        ),
        migrations.AddIndex(
            model_name='bankentry',
            index=models.Index(condition=models.Q(('status', 'PDNG')), fields=['tenant', 'account', 'value_date'], name='entry_pending'),
        ),
        migrations.AddField(
            model_name='dailybalance',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount'),
        ),
        migrations.AddField(
            model_name='dailybalance',
            name='tenant',
            field=models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant'),
        ),
        migrations.AddField(
            model_name='daymovement',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='treasury.bankaccount'),
        ),
        migrations.AddField(
            model_name='daymovement',
            name='tenant',
            field=models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant'),
        ),
        migrations.AddConstraint(
            model_name='dailybalance',
            constraint=models.UniqueConstraint(fields=('tenant', 'account', 'value_date'), include=('balance',), name='daily_balance_once'),
        ),
        migrations.AddIndex(
            model_name='daymovement',
            index=models.Index(fields=['tenant', 'account', 'value_date'], name='day_movement_by_value'),
        ),
        migrations.AddConstraint(
            model_name='daymovement',
            constraint=models.UniqueConstraint(fields=('tenant', 'account', 'booking_date', 'value_date'), name='day_movement_once'),
        ),
        EnforceTenancy("treasury"),
        migrations.RunSQL(guards.DAYS, migrations.RunSQL.noop),
    ]
