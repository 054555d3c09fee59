"""Pages of the calendars room."""

from django.urls import path

from calendars import views

app_name = "calendars"

urlpatterns = [
    path("rails", views.rails, name="rails"),
    path("rails/table", views.rails_table, name="rails-table"),
    path("rails/panel", views.rails_panel, name="rails-panel"),
]
