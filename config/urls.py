"""Where every HTTP address leads."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("billing.api.urls")),
    path("", include("stations.api.urls")),
    path("", include("sessions_app.api.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "billing.api.errors.bad_request"
handler403 = "billing.api.errors.forbidden"
handler404 = "billing.api.errors.page_not_found"
handler500 = "billing.api.errors.server_error"
