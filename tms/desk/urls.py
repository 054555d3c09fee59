"""All pages of the desk: those of the rooms, and the front page that arranges their panels."""

from django.urls import include, path

from liquidity import chart_panel
from tms.desk import alerts, audit, policies, views

urlpatterns = [
    path("", include("calendars.urls")),
    path("", include("approvals.urls")),
    path("", include("treasury.urls")),
    path("forecasts/chart", chart_panel.show, name="forecast-chart"),
    path("", include("liquidity.urls")),
    path("", include("fx.urls")),
    path("", include("risk.urls")),
    path("alerts", alerts.page, name="alerts"),
    path("alerts/panel", alerts.panel, name="alerts-panel"),
    path("policies", policies.page, name="policies"),
    path("audit", audit.trail, name="audit-trail"),
    path("audit/check", audit.check, name="audit-check"),
    path("audit/standing", audit.standing, name="audit-standing"),
    path("audit/export.csv", audit.export, name="audit-export"),
    path("audit/things/<uuid:thing_id>", audit.history, name="audit-history"),
    path("", views.home, name="desk"),
    path("day", views.day, name="desk-day"),
]
