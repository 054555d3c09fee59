"""Tenant walls, audit trail and append-only tables of the ground floor."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited, AuditedTables
from core.audit.sql import FUNCTIONS
from core.tenancy.operations import EnforceTenancy, EnforceTenancyThrough, TenantItself

# The migrating role answers two questions before any tenant is bound: which tenants exist (for
# batches) and where a sign-in name belongs. Only it may see those rows without a tenant.
OWNER_MAY_LOOK_UP = """
CREATE POLICY owner_looks_up ON core_tenant FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_looks_up ON core_user FOR SELECT TO CURRENT_USER USING (true);
"""
# Entries are written by the SECURITY DEFINER trigger only.
TRIGGER_WRITES_ONLY = """
REVOKE INSERT ON core_auditentry, core_auditpending FROM tms_app;
REVOKE UPDATE ON core_auditpending FROM tms_app;
REVOKE EXECUTE ON FUNCTION core_find_login(text), core_tenant_ids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core_find_login(text), core_tenant_ids() TO tms_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0001_initial"),
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
                "auditentry", "auditlink", "auditpending", "outboxevent", "delivery",
                "idempotencykey",
            ),
            secret_columns=("password",),
        ),
        AuditedTables("core_tenant", "core_user_groups", "otp_totp_totpdevice"),
        AppendOnly("core_auditentry", "core_auditlink", "core_policyversion"),
        migrations.RunSQL(OWNER_MAY_LOOK_UP, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGER_WRITES_ONLY, migrations.RunSQL.noop),
    ]
