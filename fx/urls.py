"""Pages of the fx room."""

from django.urls import path

from fx.views import deals, exposure, rates, settlement

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
    path("fx/settlements/panel", settlement.panel, name="settlement-panel"),
    path("fx/deals/<uuid:deal_id>/settle", settlement.act, name="settle-step"),
    path("fx/deals/<uuid:deal_id>/close-out", settlement.close_out, name="close-out"),
]
