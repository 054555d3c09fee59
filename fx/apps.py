from django.apps import AppConfig


class FxConfig(AppConfig):
    """Rates, deals and exposure in foreign exchange."""

    name = "fx"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Demand the guards, register what is approved, govern what steers rates and deals."""
        from core.checks import required_triggers
        from fx import (
            changes,
            guards,
            metrics,
            receivers,  # noqa: F401 - importing registers them
            valuation_guards,
        )

        changes.govern_static_data()
        metrics.register_metrics()
        required_triggers.update(changes.GUARDS)
        required_triggers.update(guards.TRIGGERS)
        required_triggers.update(valuation_guards.TRIGGERS)
