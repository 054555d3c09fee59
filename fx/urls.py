"""Pages of the fx room."""

from django.urls import path

from fx.views import (
    deals,
    exposure,
    fixings,
    papers,
    rates,
    reforecast,
    settlement,
    suggestions,
    valuation,
)

app_name = "fx"

urlpatterns = [
    path("fx/deals", deals.blotter, name="deals"),
    path("fx/deals/new", deals.new_deal, name="new-deal"),
    path("fx/deals/check", deals.check_deal, name="check-deal"),
    path("fx/deals/<uuid:deal_id>", deals.deal, name="deal"),
    path("fx/deals/<uuid:deal_id>/change", deals.change_deal, name="change-deal"),
    path("fx/deals/<uuid:deal_id>/step", deals.act, name="deal-step"),
    path("fx/deals/<uuid:deal_id>/confirm", deals.confirm, name="confirm-deal"),
    path("fx/exposure", exposure.board, name="exposure"),
    path("fx/rates", rates.board, name="rates"),
    path("fx/rates/pair", rates.pair, name="pair"),
    path("fx/rates/upload", rates.upload, name="upload-rates"),
    path("fx/rates/history", rates.history, name="rate-history"),
    path("fx/settlements", settlement.board, name="settlements"),
    path("fx/settlements/net", settlement.net_now, name="net-now"),
    path("fx/settlements/panel", settlement.panel, name="settlement-panel"),
    path("fx/deals/<uuid:deal_id>/settle", settlement.act, name="settle-step"),
    path("fx/suggestions", suggestions.suggestions, name="suggestions"),
    path("fx/suggestions/reckon", suggestions.reckon, name="reckon"),
    path("fx/suggestions/past", suggestions.past, name="past-suggestions"),
    path("fx/suggestions/<uuid:suggestion_id>", suggestions.suggestion, name="suggestion"),
    path("fx/suggestions/<uuid:suggestion_id>/take", suggestions.take, name="take-suggestion"),
    path(
        "fx/suggestions/<uuid:suggestion_id>/dismiss",
        suggestions.dismiss,
        name="dismiss-suggestion",
    ),
    path("fx/deals/file", papers.upload, name="upload-deals"),
    path("fx/deals/file/template.csv", papers.file_template, name="deal-file-template"),
    path("fx/deals/<uuid:deal_id>/ticket.pdf", papers.ticket, name="deal-ticket"),
    path("fx/ladder", papers.ladder, name="ladder"),
    path("fx/reforecast", reforecast.page, name="reforecast"),
    path("fx/reforecast/fire", reforecast.fire, name="reforecast-fire"),
    path("fx/valuation", valuation.valuation, name="valuation"),
    path("fx/valuation/booked", valuation.booked, name="booked"),
    path("fx/valuation/run", valuation.run_valuation, name="run-valuation"),
    path("fx/curves/upload", valuation.upload, name="upload-curves"),
    path("fx/deals/<uuid:deal_id>/close-out", settlement.close_out, name="close-out"),
    path("fx/fixings", fixings.fixings, name="fixings"),
    path("fx/fixings/record", fixings.record, name="record-fixing"),
    path("fx/fixings/<uuid:fixing_id>/correct", fixings.correct, name="correct-fixing"),
    path("fx/legs/<uuid:leg_id>/difference", fixings.propose_difference, name="propose-difference"),
    path(
        "fx/differences/<uuid:difference_id>",
        fixings.decide_difference,
        name="decide-difference",
    ),
]
