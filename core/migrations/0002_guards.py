"""The walls between tenants, the audit trail, four eyes, second factors and duties."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited, AuditedTables
from core.audit.sql import FUNCTIONS, PERSONAL, REFUSED
from core.changes import guards as change_guards
from core.changes.operations import Governed
from core.identity import duties_guards, guards, passkey_guards
from core.tenancy.operations import EnforceTenancy, EnforceTenancyThrough, TenantItself

OWNER_MAY_LOOK_UP = """
CREATE POLICY owner_looks_up ON core_tenant FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_looks_up ON core_user FOR SELECT TO CURRENT_USER USING (true);
"""

TRIGGER_WRITES_ONLY = """
REVOKE INSERT ON core_auditentry, core_auditpending FROM tms_app;
REVOKE UPDATE ON core_auditpending FROM tms_app;
REVOKE EXECUTE ON FUNCTION core_find_login(text), core_tenant_ids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core_find_login(text), core_tenant_ids() TO tms_app;
"""

ONLY_WHAT_A_SESSION_LEARNS = """
REVOKE UPDATE, DELETE, TRUNCATE ON core_personsession FROM tms_app;
GRANT UPDATE (seen_at, ip, ended_at) ON core_personsession TO tms_app;
REVOKE UPDATE, DELETE, TRUNCATE ON core_tokenfamily FROM tms_app;
GRANT UPDATE (current, revoked_at, revoked_because) ON core_tokenfamily TO tms_app;
"""


class Migration(migrations.Migration):
    replaces = [("core", "0110_reset_ends_sessions")]
    dependencies = [
        ("core", "0001_tables"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("otp_totp", "0003_add_timestamps"),
        ("otp_static", "0003_add_timestamps"),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        TenantItself(),
        EnforceTenancy("core"),
        EnforceTenancyThrough("core_user_groups", column="user_id", parent="core_user"),
        EnforceTenancyThrough("core_user_user_permissions", column="user_id", parent="core_user"),
        EnforceTenancyThrough("otp_totp_totpdevice", column="user_id", parent="core_user"),
        EnforceTenancyThrough("otp_static_staticdevice", column="user_id", parent="core_user"),
        EnforceTenancyThrough(
            "otp_static_statictoken", column="device_id", parent="otp_static_staticdevice"
        ),
        EnforceTenancyThrough("django_admin_log", column="user_id", parent="core_user"),
        Audited(
            "core",
            exclude=(
                "auditentry", "auditlink", "auditpending", "auditverification", "outboxevent",
                "delivery", "idempotencykey", "changedraft",
                # What may be erased must not live on in the trail.
                "personaltext",
            ),
            secret_columns=("password", "sealed"),
        ),
        AuditedTables("core_tenant", "core_user_groups", "otp_totp_totpdevice"),
        AppendOnly("core_auditentry", "core_auditlink", "core_policyversion"),
        migrations.RunSQL(OWNER_MAY_LOOK_UP, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGER_WRITES_ONLY, migrations.RunSQL.noop),
        migrations.RunSQL(REFUSED, migrations.RunSQL.noop),
        migrations.RunSQL(PERSONAL, migrations.RunSQL.noop),
        # Four eyes.
        migrations.RunSQL(change_guards.ALL, migrations.RunSQL.noop),
        Governed(
            "core_user", columns=change_guards.PERSON_COLUMNS, when=change_guards.PERSON_GAINS
        ),
        Governed("core_user_groups"),
        Governed("core_user_user_permissions"),
        Governed("core_policyversion"),
        # Second factors.
        migrations.RunSQL(guards.CODES, migrations.RunSQL.noop),
        migrations.RunSQL(guards.AUTHENTICATORS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.MOVE_AUTHENTICATORS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.WALL_AROUND_AUTHENTICATORS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.STEP_UPS, migrations.RunSQL.noop),
        migrations.RunSQL(guards.RIGHTS, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.TABLES, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.WALLS, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(passkey_guards.RIGHTS, migrations.RunSQL.noop),
        AuditedTables("core_stepup", secret_columns=("proof",)),
        AuditedTables("core_passkey", secret_columns=("sign_count", "last_used_at")),
        AuditedTables("core_recovery_code", secret_columns=("digest",)),
        AuditedTables(
            "core_authenticator",
            secret_columns=(
                "secret", "next_secret", "last_step", "failures", "recent_failures", "locked_until",
            ),
        ),
        # Sessions and duties.
        migrations.RunSQL(ONLY_WHAT_A_SESSION_LEARNS, migrations.RunSQL.noop),
        AuditedTables("core_personsession", secret_columns=("key_digest", "seen_at")),
        AuditedTables("core_tokenfamily", secret_columns=("current",)),
        migrations.RunSQL(duties_guards.DUTIES, migrations.RunSQL.noop),
        migrations.RunSQL(duties_guards.REVIEWS, migrations.RunSQL.noop),
        AuditedTables("core_accessreview", "core_accessreviewitem", secret_columns=("",)),
    ]
