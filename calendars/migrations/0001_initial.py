"""Calendars, holidays, rails, windows, alerts."""

import core.ids
import core.tenancy.context
import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


# An exclusion constraint compares ranges, not bits: the mask becomes the set of its weekdays.
WEEKDAYS = """
CREATE FUNCTION calendars_weekdays(mask integer) RETURNS int4multirange
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(range_agg(int4range(weekday, weekday + 1)), '{}'::int4multirange)
      FROM generate_series(0, 6) AS weekday
     WHERE (mask >> weekday) & 1 = 1
$$
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0002_walls'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(WEEKDAYS, 'DROP FUNCTION calendars_weekdays(integer)'),
        migrations.CreateModel(
            name='Calendar',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=20)),
                ('name', models.CharField(max_length=120)),
                ('tz', models.CharField(help_text='IANA zone of the centre.', max_length=40)),
                ('currency', models.CharField(max_length=3)),
                ('is_settlement', models.BooleanField(help_text='Whether this calendar decides when its currency settles.')),
                ('coverage_start', models.DateField()),
                ('coverage_end', models.DateField()),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalCalendar',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('code', models.CharField(max_length=20)),
                ('name', models.CharField(max_length=120)),
                ('tz', models.CharField(help_text='IANA zone of the centre.', max_length=40)),
                ('currency', models.CharField(max_length=3)),
                ('is_settlement', models.BooleanField(help_text='Whether this calendar decides when its currency settles.')),
                ('coverage_start', models.DateField()),
                ('coverage_end', models.DateField()),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
            ],
            options={
                'verbose_name': 'historical calendar',
                'verbose_name_plural': 'historical calendars',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalHoliday',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('date', models.DateField()),
                ('name', models.CharField(max_length=200)),
                ('kind', models.CharField(choices=[('REGULAR', 'Regular'), ('SUBSTITUTE', 'Substitute'), ('ADHOC', 'Adhoc'), ('TENTATIVE', 'Tentative')], max_length=12)),
                ('status', models.CharField(choices=[('PROVISIONAL', 'Provisional'), ('CONFIRMED', 'Confirmed'), ('CANCELLED', 'Cancelled')], default='PROVISIONAL', max_length=12)),
                ('source', models.CharField(max_length=200)),
                ('half_day_close_local', models.TimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decision_reason', models.CharField(blank=True, max_length=300)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('calendar', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='calendars.calendar')),
                ('decided_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('declared_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
            ],
            options={
                'verbose_name': 'historical holiday',
                'verbose_name_plural': 'historical holidays',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRail',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('code', models.CharField(max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('name', models.CharField(max_length=120)),
                ('tz', models.CharField(help_text="IANA zone of the rail's wall times.", max_length=40)),
                ('settlement_days', models.PositiveSmallIntegerField(default=0)),
                ('sla_minutes', models.PositiveIntegerField(blank=True, null=True)),
                ('sla_policy', models.CharField(choices=[('ELAPSED', 'Elapsed'), ('DESK_CLOSE', 'Desk close')], max_length=12)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('calendar', models.ForeignKey(blank=True, db_constraint=False, help_text='Operating calendar; empty for a rail that runs every day.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='calendars.calendar')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
            ],
            options={
                'verbose_name': 'historical rail',
                'verbose_name_plural': 'historical rails',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalWeekendRule',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('closed_weekdays', models.PositiveSmallIntegerField(help_text='Bit mask, bit 0 is Monday.')),
                ('alternate_weekday', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('alternate_ordinals', models.PositiveSmallIntegerField(default=0, help_text='Bit mask of the occurrences in the month, bit 0 is the first.')),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('calendar', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='calendars.calendar')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
            ],
            options={
                'verbose_name': 'historical weekend rule',
                'verbose_name_plural': 'historical weekend rules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('date', models.DateField()),
                ('name', models.CharField(max_length=200)),
                ('kind', models.CharField(choices=[('REGULAR', 'Regular'), ('SUBSTITUTE', 'Substitute'), ('ADHOC', 'Adhoc'), ('TENTATIVE', 'Tentative')], max_length=12)),
                ('status', models.CharField(choices=[('PROVISIONAL', 'Provisional'), ('CONFIRMED', 'Confirmed'), ('CANCELLED', 'Cancelled')], default='PROVISIONAL', max_length=12)),
                ('source', models.CharField(max_length=200)),
                ('half_day_close_local', models.TimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decision_reason', models.CharField(blank=True, max_length=300)),
                ('calendar', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holidays', to='calendars.calendar')),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('declared_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['date', 'calendar'],
            },
        ),
        migrations.CreateModel(
            name='LookaheadRun',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('generated_for', models.DateField()),
                ('published_at', models.DateTimeField()),
                ('closures', models.PositiveSmallIntegerField()),
                ('currencies_closed', models.CharField(blank=True, max_length=60)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-generated_for'],
            },
        ),
        migrations.CreateModel(
            name='Rail',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('name', models.CharField(max_length=120)),
                ('tz', models.CharField(help_text="IANA zone of the rail's wall times.", max_length=40)),
                ('settlement_days', models.PositiveSmallIntegerField(default=0)),
                ('sla_minutes', models.PositiveIntegerField(blank=True, null=True)),
                ('sla_policy', models.CharField(choices=[('ELAPSED', 'Elapsed'), ('DESK_CLOSE', 'Desk close')], max_length=12)),
                ('calendar', models.ForeignKey(blank=True, help_text='Operating calendar; empty for a rail that runs every day.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rails', to='calendars.calendar')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['code', 'currency'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalRailWindowOverride',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('business_date', models.DateField()),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], max_length=12)),
                ('revision', models.PositiveSmallIntegerField()),
                ('local_time', models.TimeField(blank=True, null=True)),
                ('reason', models.CharField(max_length=300)),
                ('source_url', models.CharField(blank=True, max_length=500)),
                ('entered_at', models.DateTimeField(editable=False)),
                ('approved_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('approved_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('entered_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                ('rail', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='calendars.rail')),
            ],
            options={
                'verbose_name': 'historical rail window override',
                'verbose_name_plural': 'historical rail window overrides',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalRailWindow',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], max_length=12)),
                ('local_time', models.TimeField()),
                ('day_offset', models.SmallIntegerField(default=0, help_text='-1 places the time on the day before the business date.')),
                ('weekday_mask', models.PositiveSmallIntegerField(help_text='Bit mask, bit 0 is Monday.')),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                ('rail', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='calendars.rail')),
            ],
            options={
                'verbose_name': 'historical rail window',
                'verbose_name_plural': 'historical rail windows',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalBankCutoff',
            fields=[
                ('id', models.UUIDField(db_index=True, default=core.ids.uuid7, editable=False)),
                ('bank', models.CharField(help_text='BIC of the bank.', max_length=11)),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], default='CUSTOMER', max_length=12)),
                ('local_time', models.TimeField()),
                ('tz', models.CharField(help_text='IANA zone in which the bank counts.', max_length=40)),
                ('weekday_mask', models.PositiveSmallIntegerField(default=127, help_text='Bit mask, bit 0 is Monday.')),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='core.tenant')),
                ('rail', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='calendars.rail')),
            ],
            options={
                'verbose_name': 'historical bank cutoff',
                'verbose_name_plural': 'historical bank cutoffs',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='BankCutoff',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('bank', models.CharField(help_text='BIC of the bank.', max_length=11)),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], default='CUSTOMER', max_length=12)),
                ('local_time', models.TimeField()),
                ('tz', models.CharField(help_text='IANA zone in which the bank counts.', max_length=40)),
                ('weekday_mask', models.PositiveSmallIntegerField(default=127, help_text='Bit mask, bit 0 is Monday.')),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('rail', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bank_cutoffs', to='calendars.rail')),
            ],
            options={
                'ordering': ['bank', 'rail', 'effective_from'],
            },
        ),
        migrations.CreateModel(
            name='RailWindow',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], max_length=12)),
                ('local_time', models.TimeField()),
                ('day_offset', models.SmallIntegerField(default=0, help_text='-1 places the time on the day before the business date.')),
                ('weekday_mask', models.PositiveSmallIntegerField(help_text='Bit mask, bit 0 is Monday.')),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('rail', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='windows', to='calendars.rail')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['rail', 'kind', 'effective_from'],
            },
        ),
        migrations.CreateModel(
            name='RailWindowOverride',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('business_date', models.DateField()),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], max_length=12)),
                ('revision', models.PositiveSmallIntegerField()),
                ('local_time', models.TimeField(blank=True, null=True)),
                ('reason', models.CharField(max_length=300)),
                ('source_url', models.CharField(blank=True, max_length=500)),
                ('entered_at', models.DateTimeField(editable=False)),
                ('approved_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('approved_by', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('entered_by', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rail', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='overrides', to='calendars.rail')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-business_date', 'rail', 'kind', '-revision'],
            },
        ),
        migrations.CreateModel(
            name='WeekendRule',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('closed_weekdays', models.PositiveSmallIntegerField(help_text='Bit mask, bit 0 is Monday.')),
                ('alternate_weekday', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('alternate_ordinals', models.PositiveSmallIntegerField(default=0, help_text='Bit mask of the occurrences in the month, bit 0 is the first.')),
                ('effective_from', models.DateField()),
                ('effective_to', models.DateField(blank=True, null=True)),
                ('calendar', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='weekend_rules', to='calendars.calendar')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['calendar', 'effective_from'],
            },
        ),
        migrations.CreateModel(
            name='WindowAlert',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('business_date', models.DateField()),
                ('kind', models.CharField(choices=[('OPEN', 'Open'), ('CUSTOMER', 'Customer'), ('INTERBANK', 'Interbank'), ('CLOSE', 'Close')], max_length=12)),
                ('revision', models.PositiveSmallIntegerField()),
                ('cutoff_at', models.DateTimeField()),
                ('raised_at', models.DateTimeField()),
                ('minutes_left', models.PositiveSmallIntegerField()),
                ('pending_count', models.PositiveIntegerField()),
                ('pending_usd', models.DecimalField(decimal_places=4, max_digits=20)),
                ('rail', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='calendars.rail')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-cutoff_at', 'rail', '-revision'],
            },
        ),
        migrations.AddConstraint(
            model_name='calendar',
            constraint=models.UniqueConstraint(fields=('tenant', 'code'), name='calendar_code_once'),
        ),
        migrations.AddConstraint(
            model_name='calendar',
            constraint=models.UniqueConstraint(condition=models.Q(('is_settlement', True)), fields=('tenant', 'currency'), name='calendar_one_settlement_per_currency'),
        ),
        migrations.AddConstraint(
            model_name='calendar',
            constraint=models.CheckConstraint(condition=models.Q(('coverage_start__lte', models.F('coverage_end'))), name='calendar_coverage_ordered'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.UniqueConstraint(fields=('tenant', 'calendar', 'date'), name='holiday_day_once'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['REGULAR', 'SUBSTITUTE', 'ADHOC', 'TENTATIVE'])), name='holiday_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', True), ('status', 'PROVISIONAL')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), ('status__in', ['CONFIRMED', 'CANCELLED'])), _connector='OR'), name='holiday_decided_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.CheckConstraint(condition=models.Q(('declared_by__isnull', True), ('decided_by__isnull', True), models.Q(('declared_by', models.F('decided_by')), _negated=True), _connector='OR'), name='holiday_declarer_does_not_decide'),
        ),
        migrations.AddConstraint(
            model_name='lookaheadrun',
            constraint=models.UniqueConstraint(fields=('tenant', 'generated_for'), name='lookahead_once_a_day'),
        ),
        migrations.AddConstraint(
            model_name='rail',
            constraint=models.UniqueConstraint(fields=('tenant', 'code', 'currency'), name='rail_once_per_currency'),
        ),
        migrations.AddConstraint(
            model_name='rail',
            constraint=models.CheckConstraint(condition=models.Q(('sla_policy', 'DESK_CLOSE'), models.Q(('sla_minutes__gt', 0), ('sla_policy', 'ELAPSED')), _connector='OR'), name='rail_elapsed_sla_has_minutes'),
        ),
        migrations.AddConstraint(
            model_name='bankcutoff',
            constraint=models.CheckConstraint(condition=models.Q(('effective_to__isnull', True), ('effective_to__gt', models.F('effective_from')), _connector='OR'), name='bank_cutoff_period_ordered'),
        ),
        migrations.AddConstraint(
            model_name='bankcutoff',
            constraint=models.CheckConstraint(condition=models.Q(('weekday_mask__gte', 0), ('weekday_mask__lte', 127)), name='bank_cutoff_mask_valid'),
        ),
        migrations.AddConstraint(
            model_name='bankcutoff',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['CUSTOMER', 'INTERBANK'])), name='bank_cutoff_is_a_cutoff'),
        ),
        migrations.AddConstraint(
            model_name='bankcutoff',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('tenant', '='), ('rail', '='), ('bank', '='), ('kind', '='), (models.Func(models.F('effective_from'), models.F('effective_to'), function='daterange', output_field=django.contrib.postgres.fields.ranges.DateRangeField()), '&&'), (models.Func(models.F('weekday_mask'), function='calendars_weekdays', output_field=django.contrib.postgres.fields.ranges.IntegerRangeField()), '&&')], name='bank_cutoff_no_overlap'),
        ),
        migrations.AddConstraint(
            model_name='railwindow',
            constraint=models.CheckConstraint(condition=models.Q(('effective_to__isnull', True), ('effective_to__gt', models.F('effective_from')), _connector='OR'), name='rail_window_period_ordered'),
        ),
        migrations.AddConstraint(
            model_name='railwindow',
            constraint=models.CheckConstraint(condition=models.Q(('weekday_mask__gte', 0), ('weekday_mask__lte', 127)), name='rail_window_mask_valid'),
        ),
        migrations.AddConstraint(
            model_name='railwindow',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['OPEN', 'CUSTOMER', 'INTERBANK', 'CLOSE'])), name='rail_window_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='railwindow',
            constraint=models.CheckConstraint(condition=models.Q(('day_offset', 0), models.Q(('day_offset', -1), ('kind', 'OPEN')), _connector='OR'), name='rail_window_only_opens_the_day_before'),
        ),
        migrations.AddConstraint(
            model_name='railwindow',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('tenant', '='), ('rail', '='), ('kind', '='), (models.Func(models.F('effective_from'), models.F('effective_to'), function='daterange', output_field=django.contrib.postgres.fields.ranges.DateRangeField()), '&&'), (models.Func(models.F('weekday_mask'), function='calendars_weekdays', output_field=django.contrib.postgres.fields.ranges.IntegerRangeField()), '&&')], name='rail_window_no_overlap'),
        ),
        migrations.AddConstraint(
            model_name='railwindowoverride',
            constraint=models.UniqueConstraint(fields=('tenant', 'rail', 'business_date', 'kind', 'revision'), name='window_override_revision_once'),
        ),
        migrations.AddConstraint(
            model_name='railwindowoverride',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='window_override_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='railwindowoverride',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('approved_at__isnull', True), ('approved_by__isnull', True)), models.Q(('approved_at__isnull', False), ('approved_by__isnull', False), models.Q(('approved_by', models.F('entered_by')), _negated=True)), _connector='OR'), name='window_override_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='weekendrule',
            constraint=models.CheckConstraint(condition=models.Q(('effective_to__isnull', True), ('effective_to__gt', models.F('effective_from')), _connector='OR'), name='weekend_rule_period_ordered'),
        ),
        migrations.AddConstraint(
            model_name='weekendrule',
            constraint=models.CheckConstraint(condition=models.Q(('closed_weekdays__gte', 0), ('closed_weekdays__lte', 127)), name='weekend_rule_mask_valid'),
        ),
        migrations.AddConstraint(
            model_name='weekendrule',
            constraint=models.CheckConstraint(condition=models.Q(('alternate_ordinals__lte', 31), models.Q(models.Q(('alternate_ordinals', 0), ('alternate_weekday__isnull', True)), models.Q(('alternate_ordinals__gt', 0), ('alternate_weekday__lte', 6)), _connector='OR')), name='weekend_rule_alternate_valid'),
        ),
        migrations.AddConstraint(
            model_name='weekendrule',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[('tenant', '='), ('calendar', '='), (models.Func(models.F('effective_from'), models.F('effective_to'), function='daterange', output_field=django.contrib.postgres.fields.ranges.DateRangeField()), '&&')], name='weekend_rule_no_overlap'),
        ),
        migrations.AddConstraint(
            model_name='windowalert',
            constraint=models.UniqueConstraint(fields=('tenant', 'rail', 'business_date', 'kind', 'revision'), name='window_alert_once'),
        ),
        migrations.AddConstraint(
            model_name='windowalert',
            constraint=models.CheckConstraint(condition=models.Q(('raised_at__lt', models.F('cutoff_at'))), name='window_alert_before_cutoff'),
        ),
    ]
