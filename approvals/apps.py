from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """The maker-checker engine; other rooms register what is approved."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Name the guards without which nothing may be served."""
        from approvals import changes
        from core import checks

        changes.fill_port()
        changes.govern_rules()
        checks.required_triggers |= {
            "approvals_approvalrequest.guard_insert",
            "approvals_approvalrequest.guard_update",
            "approvals_approvalrequest.guard_delete",
            "approvals_decision.guard_insert",
            "approvals_decision.append_only",
            "approvals_approvalrule.append_only",
            "approvals_approvalrule.governed",
            "approvals_historicalapprovalrequest.append_only",
        }
