"""All addresses of the system."""

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from django_prometheus import exports
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from core.health import health
from tms.reference import SchemaView

# Redoc writes its styles while it draws, and searches in a worker that it makes from a text.
_REDOC_POLICY = {"style-src": [SELF, "'unsafe-inline'"], "worker-src": ["blob:"]}
_REDOC = csp_replace(_REDOC_POLICY)(SpectacularRedocView.as_view(template_name="api/redoc.html"))

urlpatterns = [
    path("", include("core.identity.urls")),
    path("health", health, name="health"),
    path("metrics", require_safe(exports.ExportToDjangoView), name="metrics"),
    path("admin/", admin.site.urls),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(template_name="api/swagger.html"), name="docs"),
    path("redoc", _REDOC, name="redoc"),
    path("api/v1/", include("core.api.urls")),
    path("api/v1/", include("calendars.api.urls")),
    path("api/v1/", include("approvals.api.urls")),
    path("api/v1/", include("integrations.api.urls")),
    path("api/v1/", include("treasury.api.urls")),
    path("api/v1/", include("liquidity.api.urls")),
    path("api/v1/", include("fx.api.urls")),
    path("api/v1/", include("risk.api.urls")),
    path("", include("integrations.urls")),
    path("", include("tms.desk.urls")),
]

handler400 = "tms.desk.errors.bad_request"
handler403 = "tms.desk.errors.forbidden"
handler404 = "tms.desk.errors.not_found"
handler500 = "tms.desk.errors.server_error"
