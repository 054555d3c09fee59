from django.apps import AppConfig


class RiskConfig(AppConfig):
    """Value at risk and expected shortfall of accounts, and how well they held."""

    name = "risk"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Name the guards without which nothing may be served; tell the figures to `/metrics`."""
        from core import checks
        from risk import metrics

        metrics.register_metrics()
        checks.required_triggers |= {
            "risk_riskrun.append_only",
            "risk_accountrisk.append_only",
            "risk_backtest.append_only",
        }
