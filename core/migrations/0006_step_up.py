"""Proofs of a second factor, and authenticators whose seeds only the owner reads."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.audit.operations import AuditedTables
from core.identity import guards
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0004_four_eyes'),
    ]

    operations = [
        migrations.CreateModel(
            name='StepUp',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('method', models.CharField(choices=[('totp', 'authenticator code'), ('passkey', 'passkey'), ('recovery', 'recovery code')], max_length=8)),
                ('content_hash', models.CharField(blank=True, max_length=64)),
                ('proved_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('proof', models.JSONField(default=dict)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='step_ups', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-proved_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('content_hash__regex', '^([0-9a-f]{64})?$')), name='stepup_hash_is_hex')],
            },
        ),
        EnforceTenancy("core"),
        migrations.RunSQL(guards.CODES, migrations.RunSQL.noop),
        migrations.RunSQL(guards.AUTHENTICATORS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.MOVE_AUTHENTICATORS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.WALL_AROUND_AUTHENTICATORS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.STEP_UPS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.RIGHTS, migrations.RunSQL.noop),
        AuditedTables("core_stepup", secret_columns=("proof",)),
        AuditedTables(
            "core_authenticator",
            secret_columns=("secret", "last_step", "failures", "recent_failures", "locked_until"),
        ),
    ]
