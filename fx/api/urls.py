"""Addresses of foreign exchange."""

from django.urls import path

from fx.api import (
    deals_views,
    differences_views,
    exposure_views,
    papers_views,
    rates_views,
    settlement_views,
    suggestions_views,
    valuation_views,
)

urlpatterns = [
    path("exposure", exposure_views.ExposureBoard.as_view(), name="exposure"),
    path("fx/deals", deals_views.DealList.as_view(), name="fx-deals"),
    path("fx/deals/<uuid:deal_id>", deals_views.DealDetail.as_view(), name="fx-deal"),
    path("fx/deals/<uuid:deal_id>/submit", deals_views.DealSubmit.as_view(), name="fx-submit"),
    path("fx/deals/<uuid:deal_id>/recall", deals_views.DealRecall.as_view(), name="fx-recall"),
    path("fx/deals/<uuid:deal_id>/cancel", deals_views.DealCancel.as_view(), name="fx-cancel"),
    path("fx/deals/<uuid:deal_id>/execute", deals_views.DealExecute.as_view(), name="fx-execute"),
    path("fx/deals/<uuid:deal_id>/confirm", deals_views.DealConfirm.as_view(), name="fx-confirm"),
    path("fx/deals/<uuid:deal_id>/fail", deals_views.DealFail.as_view(), name="fx-fail"),
    path("fx/rates", rates_views.RateBoard.as_view(), name="fx-rates"),
    path("fx/rates/file", rates_views.RateFile.as_view(), name="fx-rates-file"),
    path("fx/rates/history", rates_views.RateHistory.as_view(), name="fx-rates-history"),
    path("fx/curves", valuation_views.CurveBoard.as_view(), name="fx-curves"),
    path("fx/curves/file", valuation_views.CurveFile.as_view(), name="fx-curves-file"),
    path("fx/curves/forward", valuation_views.ForwardRate.as_view(), name="fx-forward"),
    path("fx/valuation", valuation_views.Valuations.as_view(), name="fx-valuation"),
    path("fx/valuation/runs", valuation_views.ValuationRuns.as_view(), name="fx-valuation-runs"),
    path("fx/valuation/explain", valuation_views.Explanation.as_view(), name="fx-explain"),
    path("fx/convert", rates_views.Converter.as_view(), name="fx-convert"),
    path("fx/settlements", settlement_views.LegList.as_view(), name="fx-settlements"),
    path(
        "fx/deals/<uuid:deal_id>/reinstruct",
        settlement_views.DealReinstruct.as_view(),
        name="fx-reinstruct",
    ),
    path(
        "fx/deals/<uuid:deal_id>/replace-legs",
        settlement_views.DealReplaceLegs.as_view(),
        name="fx-replace-legs",
    ),
    path("fx/suggestions", suggestions_views.SuggestionList.as_view(), name="fx-suggestions"),
    path(
        "fx/suggestions/<uuid:suggestion_id>/take",
        suggestions_views.SuggestionTake.as_view(),
        name="fx-suggestion-take",
    ),
    path(
        "fx/suggestions/<uuid:suggestion_id>/dismiss",
        suggestions_views.SuggestionDismiss.as_view(),
        name="fx-suggestion-dismiss",
    ),
    path("fx/deals/file", papers_views.DealFileUpload.as_view(), name="fx-deals-file"),
    path(
        "fx/deals/<uuid:deal_id>/ticket", papers_views.DealTicket.as_view(), name="fx-deal-ticket"
    ),
    path("fx/reforecast", suggestions_views.Reforecasts.as_view(), name="fx-reforecast"),
    path(
        "fx/reforecast/preview",
        suggestions_views.ReforecastLooks.as_view(),
        name="fx-reforecast-preview",
    ),
    path("fx/nets", settlement_views.NetList.as_view(), name="fx-nets"),
    path(
        "fx/deals/<uuid:deal_id>/close-out",
        settlement_views.DealCloseOut.as_view(),
        name="fx-close-out",
    ),
    path(
        "fx/deals/<uuid:deal_id>/bilateral-cancel",
        settlement_views.DealBilateralCancel.as_view(),
        name="fx-bilateral-cancel",
    ),
    path("fx/deals/<uuid:deal_id>/fix", settlement_views.DealFix.as_view(), name="fx-fix"),
    path("fx/fixings", differences_views.FixingList.as_view(), name="fx-fixings"),
    path(
        "fx/fixings/<uuid:fixing_id>/correct",
        differences_views.FixingCorrect.as_view(),
        name="fx-fixing-correct",
    ),
    path(
        "fx/fixings/<uuid:fixing_id>/accept",
        differences_views.FixingAccept.as_view(),
        name="fx-fixing-accept",
    ),
    path(
        "fx/fixings/<uuid:fixing_id>/refuse",
        differences_views.FixingRefuse.as_view(),
        name="fx-fixing-refuse",
    ),
    path("fx/differences", differences_views.DifferenceList.as_view(), name="fx-differences"),
    path(
        "fx/legs/<uuid:leg_id>/difference",
        differences_views.DifferencePropose.as_view(),
        name="fx-difference-propose",
    ),
    path(
        "fx/differences/<uuid:difference_id>/accept",
        differences_views.DifferenceAccept.as_view(),
        name="fx-difference-accept",
    ),
    path(
        "fx/differences/<uuid:difference_id>/refuse",
        differences_views.DifferenceRefuse.as_view(),
        name="fx-difference-refuse",
    ),
]
