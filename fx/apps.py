from django.apps import AppConfig


class FxConfig(AppConfig):
    """Rates, deals and exposure in foreign exchange."""

    name = "fx"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Demand the guards, and put under four eyes what steers rates and deals."""
        from core.checks import required_triggers
        from fx import changes

        changes.govern_static_data()
        required_triggers.update(changes.GUARDS)
        required_triggers.update({"fx_rate.append_only", "fx_ratedelivery.append_only"})
