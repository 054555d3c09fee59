"""Models of the fx room, one noun per file."""

from fx.models.rates import AlarmKind, Rate, RateAlarm, RateDelivery, RateSource, SourceKind

__all__ = ["AlarmKind", "Rate", "RateAlarm", "RateDelivery", "RateSource", "SourceKind"]
