"""What foreign exchange noticed leads to a new forecast of that currency."""

from core import clock
from core.errors import Invalid
from core.events import Envelope, subscribe
from liquidity.services.forecasting import run_currency_forecast


@subscribe("fx.reforecast.trigger", consumer="liquidity.forecast")
def reforecast(envelope: Envelope) -> None:
    """Forecast the currency's accounts anew; a malformed trigger becomes a dead letter."""
    try:
        currency, reason = str(envelope.payload["currency"]), str(envelope.payload["reason"])
    except KeyError as error:
        raise Invalid(f"The trigger is malformed: {error}.", field="payload") from error
    run_currency_forecast(currency=currency, reason=reason, now=clock.now())
