from django.apps import AppConfig


class CalendarsConfig(AppConfig):
    """Holidays, business days, rails, cut-off windows, value dates."""

    name = "calendars"
    default_auto_field = "django.db.models.BigAutoField"
