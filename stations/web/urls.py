"""Routes of what stations call over HTTP."""

from django.urls import URLPattern

from billing.api.routing import api_path

from . import authority
from .firmware import FirmwareView
from .uploads import UploadView

urlpatterns: list[URLPattern] = [
    *api_path("ca/root.pem", authority.root, "ca-root"),
    *api_path("ca/revoked.crl", authority.revocations, "ca-revocations"),
    *api_path("firmware/<str:token>", FirmwareView.as_view(), "firmware"),
    *api_path("firmware/<str:token>/<path:name>", FirmwareView.as_view(), "firmware-file"),
    *api_path("upload/<str:token>", UploadView.as_view(), "upload"),
    *api_path("upload/<str:token>/<path:name>", UploadView.as_view(), "upload-file"),
]
