"""Foreign exchange in the admin: windows; sources of rates are changed by two people."""

from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin

from core.admin import ReadOnlyAdmin
from core.changes.admin import GovernedAdmin
from fx.models import (
    Counterparty,
    Deal,
    DealConfirmation,
    DealValuation,
    ExposureAlarm,
    ForwardPoint,
    InterestRate,
    PnlEntry,
    Rate,
    RateAlarm,
    RateDelivery,
    RateSource,
    RevaluationRun,
    SettlementInstruction,
)


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


@admin.register(Counterparty)
class CounterpartyAdmin(GovernedAdmin):
    """Banks we deal with, and how much of it."""

    list_display = (
        "code",
        "name",
        "bic",
        "day_usd_max",
        "settlement_usd_max",
        "tenor_days_max",
        "is_active",
    )
    search_fields = ("code", "name", "bic")
    list_filter = ("is_active",)


@admin.register(SettlementInstruction)
class SettlementInstructionAdmin(GovernedAdmin):
    """Where counterparties receive what we pay; the account itself stands on the list."""

    list_display = ("counterparty", "currency", "beneficiary", "is_active")
    list_filter = ("counterparty", "currency", "is_active")
    list_select_related = ("counterparty", "beneficiary")


@admin.register(Deal)
class DealAdmin(SimpleHistoryAdmin, ReadOnlyAdmin):
    """Every deal with its history; the steps are taken on the desk."""

    list_display = (
        "reference",
        "state",
        "side",
        "base",
        "quote",
        "base_amount",
        "quote_amount",
        "limit_rate",
        "rate",
        "value_date",
        "counterparty",
    )
    list_filter = ("state", "kind", "base", "quote", "counterparty")
    list_select_related = ("counterparty",)
    search_fields = ("reference", "counterparty_reference")
    date_hierarchy = "value_date"


@admin.register(DealConfirmation)
class DealConfirmationAdmin(ReadOnlyAdmin):
    """What counterparties said."""

    list_display = ("deal", "matches", "rate", "value_date", "entered_by", "entered_at")
    list_filter = ("matches",)
    list_select_related = ("deal", "entered_by")


@admin.register(ExposureAlarm)
class ExposureAlarmAdmin(ReadOnlyAdmin):
    """When exposures were out of bounds."""

    list_display = ("day", "currency", "kind", "open_amount", "share", "limit_share", "raised_at")
    list_filter = ("kind", "currency")


@admin.register(ForwardPoint)
class ForwardPointAdmin(ReadOnlyAdmin):
    """Points as they came in."""

    list_display = ("base", "quote", "tenor", "bid", "ask", "as_of", "source")
    list_filter = ("source", "base", "quote", "tenor")
    list_select_related = ("source",)
    date_hierarchy = "as_of"


@admin.register(InterestRate)
class InterestRateAdmin(ReadOnlyAdmin):
    """Interest as it came in."""

    list_display = ("currency", "tenor", "rate", "as_of", "source")
    list_filter = ("source", "currency", "tenor")
    list_select_related = ("source",)
    date_hierarchy = "as_of"


@admin.register(RevaluationRun)
class RevaluationRunAdmin(ReadOnlyAdmin):
    """Every valuation of all deals."""

    list_display = ("day", "version", "deals_count", "missing_count", "unrealised_usd", "made_at")
    date_hierarchy = "day"


@admin.register(DealValuation)
class DealValuationAdmin(ReadOnlyAdmin):
    """What each deal was worth."""

    list_display = ("deal", "run", "spot", "forward", "pnl_usd", "gap", "is_stale")
    list_filter = ("gap", "is_stale")
    list_select_related = ("deal", "run")
    search_fields = ("deal__reference",)


@admin.register(PnlEntry)
class PnlEntryAdmin(ReadOnlyAdmin):
    """Profit and loss as it was booked."""

    list_display = ("day", "deal", "kind", "amount_usd", "number", "booked_at")
    list_filter = ("kind",)
    list_select_related = ("deal",)
    search_fields = ("deal__reference",)
    date_hierarchy = "day"
