"""Foreign exchange in the admin: windows; sources of rates are changed by two people."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin

from core.admin import ReadOnlyAdmin
from core.api.actor import actor
from core.changes.admin import GovernedAdmin
from core.changes.selectors import opened
from fx.models import (
    Counterparty,
    DayFixing,
    Deal,
    DealCancellation,
    DealConfirmation,
    DealFile,
    DealFileRow,
    DealLeg,
    DealSuggestion,
    DealValuation,
    ExposureAlarm,
    ForecastBasis,
    ForwardPoint,
    HedgeNeed,
    InterestRate,
    NdfFixing,
    NettingAgreement,
    PnlEntry,
    Rate,
    RateAlarm,
    RateDelivery,
    RateSource,
    ReceiptDifference,
    ReforecastTrigger,
    RevaluationRun,
    SettlementAlarm,
    SettlementInstruction,
    SettlementNet,
)
from fx.services import payees


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

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save it; in an opened tenant the approved change itself answers what was asked."""
        super().save_model(request, obj, form, change)
        if not opened():
            payees.back_in_force(obj, actor=actor(request), reason="it was saved.")


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


@admin.register(DealLeg)
class DealLegAdmin(ReadOnlyAdmin):
    """What deals pay and receive, every version."""

    list_display = (
        "reference",
        "state",
        "direction",
        "currency",
        "amount",
        "account",
        "rail",
        "value_date",
        "due_at",
        "settled_at",
    )
    list_filter = ("state", "direction", "currency")
    list_select_related = ("deal", "account")
    search_fields = ("deal__reference",)
    date_hierarchy = "value_date"


@admin.register(SettlementAlarm)
class SettlementAlarmAdmin(ReadOnlyAdmin):
    """Deals of which one leg only was done."""

    list_display = ("deal", "kind", "opened_at", "closed_at", "words")
    list_filter = ("kind",)
    list_select_related = ("deal",)


@admin.register(HedgeNeed)
class HedgeNeedAdmin(ReadOnlyAdmin):
    """What was reckoned to be bought, and everything that followed from."""

    list_display = (
        "computed_at",
        "currency",
        "day",
        "cause",
        "amount",
        "needed_on",
        "open_amount",
        "shortfall",
        "rate",
    )
    list_filter = ("currency", "cause")
    date_hierarchy = "day"


@admin.register(DealSuggestion)
class DealSuggestionAdmin(ReadOnlyAdmin):
    """Every suggestion; the steps are taken on the desk."""

    list_display = (
        "created_at",
        "currency",
        "part",
        "state",
        "side",
        "base",
        "quote",
        "dealt_amount",
        "period",
        "value_date",
        "counterparty",
        "deal",
    )
    list_filter = ("state", "currency", "period")
    list_select_related = ("counterparty", "deal")
    date_hierarchy = "day"


@admin.register(ForecastBasis)
class ForecastBasisAdmin(ReadOnlyAdmin):
    """What forecasts rested on."""

    list_display = ("as_of", "currency", "day", "outflow", "booked", "open_amount", "rate")
    list_filter = ("currency",)


@admin.register(ReforecastTrigger)
class ReforecastTriggerAdmin(ReadOnlyAdmin):
    """What asked for new forecasts."""

    list_display = ("noticed_at", "currency", "reason", "old", "new", "fired_at", "asked_by")
    list_filter = ("reason", "currency")
    list_select_related = ("asked_by",)


@admin.register(DealFile)
class DealFileAdmin(ReadOnlyAdmin):
    """Files of deals."""

    list_display = ("received_at", "name", "rows_count", "maker", "sha256")
    list_select_related = ("maker",)


@admin.register(DealFileRow)
class DealFileRowAdmin(ReadOnlyAdmin):
    """Which draft each row became."""

    list_display = ("file", "row_number", "deal")
    list_select_related = ("file", "deal")


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


@admin.register(NettingAgreement)
class NettingAgreementAdmin(GovernedAdmin):
    """With whom payments of a day are netted; in an opened tenant another person approves it."""

    list_display = ("counterparty", "reference", "signed_on", "starts_on", "ends_on", "is_active")
    list_filter = ("counterparty", "is_active")
    list_select_related = ("counterparty",)


@admin.register(SettlementNet)
class SettlementNetAdmin(ReadOnlyAdmin):
    """One payment in place of several legs."""

    list_display = (
        "reference",
        "state",
        "direction",
        "currency",
        "amount",
        "gross",
        "legs_count",
        "value_date",
        "counterparty",
    )
    list_filter = ("state", "direction", "currency", "counterparty")
    list_select_related = ("counterparty",)
    search_fields = ("reference",)
    date_hierarchy = "value_date"


@admin.register(DealCancellation)
class DealCancellationAdmin(ReadOnlyAdmin):
    """What both sides agreed to cancel."""

    list_display = ("deal", "state", "maker", "created_at", "closed_at")
    list_filter = ("state",)
    list_select_related = ("deal", "maker")


@admin.register(NdfFixing)
class NdfFixingAdmin(ReadOnlyAdmin):
    """At what non-deliverable deals were fixed."""

    list_display = ("deal", "rate", "fixed_on", "said_by", "entered_by", "entered_at")
    list_select_related = ("deal", "entered_by")


@admin.register(DayFixing)
class DayFixingAdmin(ReadOnlyAdmin):
    """At what pairs were fixed by day, and every correction."""

    list_display = (
        "fixed_on", "base", "quote", "version", "rate", "state", "said_by", "entered_by", "checker",
    )  # fmt: skip
    list_filter = ("state", "quote")
    list_select_related = ("entered_by", "checker")
    date_hierarchy = "fixed_on"


@admin.register(ReceiptDifference)
class ReceiptDifferenceAdmin(ReadOnlyAdmin):
    """What came in place of what was agreed, and who took it as it came."""

    list_display = (
        "reference", "kind", "came", "difference", "amount_usd", "state", "maker", "checker",
    )  # fmt: skip
    list_filter = ("state", "kind")
    list_select_related = ("leg__deal", "net", "maker", "checker")
    search_fields = ("leg__deal__reference", "net__reference")
