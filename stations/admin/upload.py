"""Logs and diagnostics in the back office: what was asked for, and the files that came."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin, RecordInline
from billing.admin.filters import MomentFilter

from ..models import LogRequest, ReceivedFile
from ..web.files import serve_file

DOWNLOAD = "stations_receivedfile_download"


class DownloadLink:
    """A column that leads to the file."""

    @admin.display(description=_("file"))
    def download(self, file: ReceivedFile) -> SafeString:
        address = reverse(f"admin:{DOWNLOAD}", args=[file.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', address, _("Download"))


class ReceivedFileInline(DownloadLink, RecordInline):
    model = ReceivedFile
    fields = readonly_fields = ("name", "size_bytes", "sha256", "received_at", "download")


@admin.register(LogRequest)
class LogRequestAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "station",
        "kind",
        "status",
        "cause",
        "file_name",
        "is_external",
        "requested_by",
        "ended_at",
    )
    list_filter = (
        "status",
        "kind",
        ("station", AutocompleteSelectFilter),
        ("requested_by", AutocompleteSelectFilter),
        ("created_at", MomentFilter),
    )
    list_select_related = ("station", "requested_by", "command")
    search_fields = ("station__station_id", "file_name", "reason")
    inlines = (ReceivedFileInline,)
    fields = readonly_fields = (
        "station",
        "kind",
        "status",
        "cause",
        "file_name",
        "oldest",
        "latest",
        "is_external",
        "command",
        "requested_by",
        "reason",
        "created_at",
        "expires_at",
        "due_at",
        "ended_at",
    )


@admin.register(ReceivedFile)
class ReceivedFileAdmin(DownloadLink, ReadOnlyAdmin):
    list_display = ("received_at", "name", "station", "size_bytes", "request", "download")
    list_filter = (
        ("request__station", AutocompleteSelectFilter),
        ("received_at", MomentFilter),
    )
    list_select_related = ("request__station",)
    search_fields = ("name", "request__station__station_id")
    fields = readonly_fields = (
        "name",
        "request",
        "size_bytes",
        "sha256",
        "received_at",
        "download",
    )

    @admin.display(description=_("station"))
    def station(self, file: ReceivedFile) -> Any:
        return file.request.station

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.send_file)
        own = [path("<int:file_id>/download/", view, name=DOWNLOAD)]
        return [*own, *super().get_urls()]

    def send_file(self, request: HttpRequest, file_id: int) -> HttpResponseBase:
        """A file as an attachment: a station wrote it, so no browser may run or render it."""
        file = ReceivedFile.objects.filter(pk=file_id).first()
        if not self.has_view_permission(request, file):
            raise PermissionDenied
        if file is None:
            raise Http404
        return serve_file(request, path=file.path, name=file.name, sha256=file.sha256)
