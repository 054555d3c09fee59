"""Addresses of beneficiaries."""

from django.urls import path

from treasury.api import beneficiary_views as views

urlpatterns = [
    path("beneficiaries", views.BeneficiaryList.as_view(), name="beneficiaries"),
    path(
        "beneficiaries/readiness",
        views.BeneficiaryReadiness.as_view(),
        name="beneficiary-readiness",
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>",
        views.BeneficiaryDetail.as_view(),
        name="beneficiary",
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>/verify",
        views.BeneficiaryVerify.as_view(),
        name="beneficiary-verify",
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>/block",
        views.BeneficiaryBlock.as_view(),
        name="beneficiary-block",
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>/unblock",
        views.BeneficiaryUnblock.as_view(),
        name="beneficiary-unblock",
    ),
]
