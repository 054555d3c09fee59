"""Foreign exchange in the admin: windows; sources of rates are changed by two people."""

from django.contrib import admin

from core.admin import ReadOnlyAdmin
from core.changes.admin import GovernedAdmin
from fx.models import Rate, RateAlarm, RateDelivery, RateSource


@admin.register(RateSource)
class RateSourceAdmin(GovernedAdmin):
    """Whose rates we take; in an opened tenant another person approves a change."""

    list_display = ("code", "name", "kind", "priority", "age_minutes_max", "is_active")
    list_filter = ("kind", "is_active")


@admin.register(Rate)
class RateAdmin(ReadOnlyAdmin):
    """Every rate."""

    list_display = ("base", "quote", "bid", "ask", "as_of", "source", "delivery")
    list_filter = ("base", "quote", "source")
    list_select_related = ("source", "delivery")
    date_hierarchy = "as_of"


@admin.register(RateDelivery)
class RateDeliveryAdmin(ReadOnlyAdmin):
    """What came in."""

    list_display = ("received_at", "source", "name", "rates_count", "received_from", "sha256")
    list_filter = ("source",)
    list_select_related = ("source",)


@admin.register(RateAlarm)
class RateAlarmAdmin(ReadOnlyAdmin):
    """When rates were missing or in disagreement."""

    list_display = ("pair", "kind", "opened_at", "closed_at", "words")
    list_filter = ("kind", "pair")
