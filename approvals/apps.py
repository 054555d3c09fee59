from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """The maker-checker engine; other rooms register what is approved."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what this room itself lets approve, and name the guards that must stand."""
        from approvals import changes, previews, registry
        from approvals.constants import AUTHORITY_LIMIT, DELEGATION
        from core import checks

        changes.fill_port()
        changes.govern_rules()
        previews.register_previews()
        for subject_type in (DELEGATION, AUTHORITY_LIMIT):
            registry.register(subject_type, registry.SubjectHooks(on_approved=registry.nothing))

        checks.required_triggers |= {
            "approvals_approvalrequest.guard_insert",
            "approvals_approvalrequest.guard_update",
            "approvals_approvalrequest.guard_delete",
            "approvals_decision.guard_insert",
            "approvals_decision.append_only",
            "approvals_decisionlist.guard_insert",
            "approvals_decisionlist.append_only",
            "approvals_approvalrule.append_only",
            "approvals_approvalrule.governed",
            "approvals_delegation.guard_insert",
            "approvals_delegation.guard_update",
            "approvals_delegation.guard_delete",
            "approvals_viewing.guard_insert",
            "approvals_viewing.append_only",
            "approvals_breakglassreview.guard_insert",
            "approvals_breakglassreview.guard_update",
            "approvals_breakglassreview.guard_delete",
            "approvals_authoritylimit.append_only",
            "approvals_historicalapprovalrequest.append_only",
        }
