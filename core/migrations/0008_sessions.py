"""Sessions of people, to be listed and ended, and families of refresh tokens."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.audit.operations import AuditedTables
from core.tenancy.operations import EnforceTenancy

# A session that ended is a fact: it is never removed, so it cannot come back.
RIGHTS = """
REVOKE UPDATE, DELETE, TRUNCATE ON core_personsession FROM tms_app;
GRANT UPDATE (seen_at, ip, ended_at) ON core_personsession TO tms_app;
REVOKE UPDATE, DELETE, TRUNCATE ON core_tokenfamily FROM tms_app;
GRANT UPDATE (current, revoked_at, revoked_because) ON core_tokenfamily TO tms_app;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0007_passkeys'),
    ]

    operations = [
        migrations.CreateModel(
            name='PersonSession',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key_digest', models.CharField(max_length=64)),
                ('second_factor', models.CharField(blank=True, max_length=8)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('user_agent', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-seen_at'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'key_digest'), name='session_known_once')],
            },
        ),
        migrations.CreateModel(
            name='TokenFamily',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('current', models.UUIDField(help_text='The one token that may still be exchanged.')),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(null=True)),
                ('revoked_because', models.CharField(blank=True, max_length=40)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='token_families', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'token families',
                'ordering': ['-created_at'],
            },
        ),
        EnforceTenancy("core"),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
        AuditedTables("core_personsession", secret_columns=("key_digest", "seen_at")),
        AuditedTables("core_tokenfamily", secret_columns=("current",)),
    ]
