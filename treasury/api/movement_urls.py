"""Addresses of proposals, transfers and prefunding."""

from django.urls import path

from treasury.api import movement_views as views
from treasury.api.evidence_views import PeriodEvidence, TransferEvidence

urlpatterns = [
    path("proposals", views.ProposalList.as_view(), name="proposals"),
    path("proposals/preflight", views.ProposalPreflight.as_view(), name="proposal-preflight"),
    path("proposals/<uuid:proposal_id>", views.ProposalDetail.as_view(), name="proposal"),
    path(
        "proposals/<uuid:proposal_id>/submit",
        views.ProposalSubmit.as_view(),
        name="proposal-submit",
    ),
    path(
        "proposals/<uuid:proposal_id>/withdraw",
        views.ProposalWithdraw.as_view(),
        name="proposal-withdraw",
    ),
    path(
        "proposals/<uuid:proposal_id>/amend", views.ProposalAmend.as_view(), name="proposal-amend"
    ),
    path("transfers", views.TransferList.as_view(), name="transfers"),
    path("transfers/<uuid:transfer_id>", views.TransferDetail.as_view(), name="transfer"),
    path("evidence", PeriodEvidence.as_view(), name="period-evidence"),
    path(
        "transfers/<uuid:transfer_id>/evidence",
        TransferEvidence.as_view(),
        name="transfer-evidence",
    ),
    path(
        "transfers/<uuid:transfer_id>/retry", views.TransferRetry.as_view(), name="transfer-retry"
    ),
    path("prefunding", views.PrefundingList.as_view(), name="prefunding"),
    path(
        "prefunding/<uuid:request_id>/rearm",
        views.PrefundingRearm.as_view(),
        name="prefunding-rearm",
    ),
    path("prefunding/top-up/<uuid:suppressed_id>", views.TopUp.as_view(), name="prefunding-top-up"),
]
