"""Where every HTTP address leads."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("billing.api.urls")),
    path("", include("stations.api.urls")),
    path("", include("sessions_app.api.urls")),
    path("admin/", admin.site.urls),
]
