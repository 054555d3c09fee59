"""Addresses of files of proposals."""

from django.urls import path

from treasury.api import uploading_views as views

urlpatterns = [
    path("proposal-uploads", views.UploadList.as_view(), name="proposal-uploads"),
    path("proposal-uploads/<uuid:upload_id>", views.UploadDetail.as_view(), name="proposal-upload"),
    path(
        "proposal-uploads/<uuid:upload_id>/submit",
        views.UploadSubmit.as_view(),
        name="proposal-upload-submit",
    ),
    path(
        "proposal-uploads/<uuid:upload_id>/discard",
        views.UploadDiscard.as_view(),
        name="proposal-upload-discard",
    ),
]
