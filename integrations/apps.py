"""The lines to the banks."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Registers the health of the lines and the triggers that guard the archive."""

    name = "integrations"

    def ready(self) -> None:
        """Wire what other rooms look at."""
        from core import checks, health
        from integrations import changes
        from integrations.dialects.checks import register_check
        from integrations.dialects.writing import HELP, parse_writing
        from integrations.registry import bank_apis

        register_check("writing", parse_writing, help=HELP)
        changes.govern_lines()
        checks.required_triggers |= changes.GUARDS
        health.component("bank_apis", bank_apis)
        checks.required_triggers |= {
            "integrations_message.guard_state",
            "integrations_message.guard_content",
            "integrations_message.guard_rows",
            "integrations_message.guard_route",
            "integrations_message.guard_carrier",
        }
