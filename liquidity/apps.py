from django.apps import AppConfig


class LiquidityConfig(AppConfig):
    """Payout plans, recurring patterns, forecasts, need and shortfall."""

    name = "liquidity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register who listens and who forecasts; name the guards nothing is served without."""
        from core import checks
        from fx.registry import register_forecaster
        from liquidity import receivers  # noqa: F401 - importing registers them
        from liquidity.services.previewing import preview_currency

        register_forecaster(preview_currency)
        checks.required_triggers |= {
            "liquidity_payoutplan.guard",
            "liquidity_recurringpattern.guard",
            "liquidity_forecast.append_only",
            "liquidity_forecastline.append_only",
            "liquidity_forecastrun.append_only",
        }
