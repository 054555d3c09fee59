"""Segregation of duties in the database, and the quarterly access review."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.audit.operations import AuditedTables
from core.identity import duties_guards
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0008_sessions'),
    ]

    operations = [
        migrations.CreateModel(
            name='AccessReview',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('quarter', models.CharField(help_text='Like 2026Q4.', max_length=6)),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'ordering': ['-quarter'],
            },
        ),
        migrations.CreateModel(
            name='AccessReviewItem',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('person_number', models.CharField(max_length=40)),
                ('roles', models.JSONField(default=list)),
                ('last_sign_in', models.DateTimeField(null=True)),
                ('verdict', models.CharField(blank=True, choices=[('', 'open'), ('KEEP', 'keep'), ('REMOVE', 'remove')], default='', max_length=6)),
                ('words', models.TextField(blank=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='core.accessreview')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['review', 'person_number'],
            },
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.UniqueConstraint(fields=('tenant', 'quarter'), name='access_review_quarter'),
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.CheckConstraint(condition=models.Q(('quarter__regex', '^\\d{4}Q[1-4]$')), name='access_review_quarter_is_one'),
        ),
        migrations.AddConstraint(
            model_name='accessreviewitem',
            constraint=models.UniqueConstraint(fields=('tenant', 'review', 'user'), name='access_review_item_once'),
        ),
        migrations.AddConstraint(
            model_name='accessreviewitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('decided_by', None), ('verdict', '')), models.Q(models.Q(('verdict', ''), _negated=True), ('decided_at__isnull', False), ('decided_by__isnull', False)), _connector='OR'), name='access_review_item_decided_whole'),
        ),
        migrations.AddConstraint(
            model_name='accessreviewitem',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by', None), models.Q(('decided_by', models.F('user')), _negated=True), _connector='OR'), name='access_review_not_by_oneself'),
        ),
        EnforceTenancy("core"),
        migrations.RunSQL(duties_guards.DUTIES, migrations.RunSQL.noop),
        migrations.RunSQL(duties_guards.REVIEWS, migrations.RunSQL.noop),
        AuditedTables("core_accessreview", "core_accessreviewitem", secret_columns=("",)),
    ]
