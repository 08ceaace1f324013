"""Where every HTTP address leads."""

from django.contrib import admin
from django.urls import include, path

from billing.api.routing import api_path

from . import health, metrics

urlpatterns = [
    *api_path("healthz", health.healthz, "healthz"),
    *api_path("readyz", health.readyz, "readyz"),
    *api_path("metrics", metrics.metrics, "metrics"),
    path("", include("billing.api.urls")),
    path("", include("stations.api.urls")),
    path("", include("sessions_app.api.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "billing.api.errors.bad_request"
handler403 = "billing.api.errors.forbidden"
handler404 = "billing.api.errors.page_not_found"
handler500 = "billing.api.errors.server_error"
