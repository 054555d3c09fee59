from django.apps import AppConfig


class LiquidityConfig(AppConfig):
    """Payout plans, recurring patterns, forecasts, need and shortfall."""

    name = "liquidity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Name the guards without which nothing may be served."""
        from core import checks

        checks.required_triggers |= {
            "liquidity_payoutplan.guard",
            "liquidity_recurringpattern.guard",
            "liquidity_forecast.append_only",
            "liquidity_forecastline.append_only",
            "liquidity_forecastrun.append_only",
        }
