"""Addresses of foreign exchange."""

from django.urls import path

from fx.api import deals_views, exposure_views, rates_views, settlement_views

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
]
