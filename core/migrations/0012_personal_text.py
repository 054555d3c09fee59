"""Names stay out of the chain: entries hold digests, the texts can be erased."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.db import migrations, models

from core.audit.sql import FUNCTIONS, PERSONAL
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0011_verification'),
    ]

    operations = [
        migrations.CreateModel(
            name='PersonalText',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('person', models.UUIDField()),
                ('digest', models.CharField(max_length=80)),
                ('salt', models.CharField(max_length=80)),
                ('text', models.TextField()),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'digest'], name='personal_by_digest'), models.Index(fields=['tenant', 'person'], name='personal_by_person')],
            },
        ),
        EnforceTenancy("core"),
        migrations.RunSQL(PERSONAL, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
    ]
