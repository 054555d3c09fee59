from django.apps import AppConfig


class FxConfig(AppConfig):
    """Rates, deals and exposure in foreign exchange."""

    name = "fx"
    default_auto_field = "django.db.models.BigAutoField"
