"""Passkeys, their challenges, and recovery codes."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.audit.operations import AuditedTables
from core.identity import passkey_guards
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0006_step_up'),
    ]

    operations = [
        migrations.CreateModel(
            name='Passkey',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60)),
                ('credential_id', models.CharField(max_length=1400)),
                ('public_key', models.CharField(max_length=1400)),
                ('sign_count', models.BigIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(null=True)),
                ('removed_at', models.DateTimeField(null=True)),
                ('registered_with', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.stepup')),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='passkeys', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['created_at'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'credential_id'), name='passkey_registered_once'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='passkey_has_a_name')],
            },
        ),
        EnforceTenancy("core"),
        migrations.RunSQL(passkey_guards.TABLES, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.WALLS, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.RIGHTS, migrations.RunSQL.noop),
        AuditedTables("core_passkey", secret_columns=("sign_count", "last_used_at")),
        AuditedTables("core_recovery_code", secret_columns=("digest",)),
        AuditedTables(
            "core_authenticator",
            secret_columns=(
                "secret", "next_secret", "last_step", "failures", "recent_failures",
                "locked_until",
            ),
        ),
    ]
