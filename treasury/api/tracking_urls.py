"""Addresses of payment tracking and tasks."""

from django.urls import path

from treasury.api import tracking_views as views

urlpatterns = [
    path("payments/<uuid:uetr>/tracking", views.PaymentTracking.as_view(), name="payment-tracking"),
    path("recalls", views.RecallList.as_view(), name="recalls"),
    path(
        "transfers/<uuid:transfer_id>/recall",
        views.TransferRecall.as_view(),
        name="transfer-recall",
    ),
    path("tasks", views.TaskList.as_view(), name="tasks"),
    path(
        "tasks/<uuid:task_id>/acknowledge",
        views.TaskAcknowledge.as_view(),
        name="task-acknowledge",
    ),
    path("tasks/<uuid:task_id>/close", views.TaskClose.as_view(), name="task-close"),
]
