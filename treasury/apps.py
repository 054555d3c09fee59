from django.apps import AppConfig


class TreasuryConfig(AppConfig):
    """Accounts, statements, positions, expected flows; proposals and transfers."""

    name = "treasury"

    def ready(self) -> None:
        """Demand the guards, listen to the rooms around, register what is approved."""
        from core.checks import required_triggers
        from treasury import (
            changes,
            guards,
            metrics,
            previews,
            receivers,  # noqa: F401 - importing registers them
        )

        changes.govern_static_data()
        previews.register_previews()
        metrics.register_metrics()
        required_triggers.update(guards.TRIGGERS)
        required_triggers.update(changes.GUARDS)
