from django.apps import AppConfig


class CalendarsConfig(AppConfig):
    """Holidays, business days, rails, cut-off windows, value dates."""

    name = "calendars"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Put calendars and rails under four eyes."""
        from calendars import changes, guards
        from core.checks import required_triggers

        changes.govern_calendars()
        required_triggers.update(changes.GUARDS | guards.TRIGGERS)
