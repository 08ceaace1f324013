"""Where every HTTP address leads."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from billing.api.routing import api_path

from . import health, metrics

urlpatterns = [
    *api_path("healthz", health.healthz, "healthz"),
    *api_path("readyz", health.readyz, "readyz"),
    *api_path("metrics", metrics.metrics, "metrics"),
    path("", include("billing.api.urls")),
    path("", include("billing.web.urls")),
    path("", include("stations.api.urls")),
    path("", include("stations.web.urls")),
    path("", include("sessions_app.api.urls")),
    *api_path("api/schema", SpectacularAPIView.as_view(), "schema"),
    *api_path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), "docs"),
    path("admin", admin.site.admin_view(admin.site.index)),
    path("admin/", admin.site.urls),
]

handler400 = "billing.api.errors.bad_request"
handler403 = "billing.api.errors.forbidden"
handler404 = "billing.api.errors.page_not_found"
handler500 = "billing.api.errors.server_error"
