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
            proofs,
            receivers,  # noqa: F401 - importing registers them
            settlement_metrics,
            suggestion_guards,
            valuation_guards,
            valuation_metrics,
        )
        from treasury.selectors import invariants

        changes.govern_static_data()
        metrics.register_metrics()
        settlement_metrics.register()
        valuation_metrics.register_metrics()
        invariants.promise(*proofs.CHECKS)
        required_triggers.update(changes.GUARDS)
        required_triggers.update(guards.TRIGGERS)
        required_triggers.update(suggestion_guards.TRIGGERS)
        required_triggers.update(valuation_guards.TRIGGERS)
