"""Where stations hand in logs: PUT or POST, as a raw body or as a form, under any name."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from billing.errors import KubatError

from .. import storage, uploads
from ..errors import FileTooLarge
from ..models import LogRequest

FORM_OVERHEAD_BYTES = 64 * 1024
"""What a form may have around its files."""


@method_decorator(csrf_exempt, name="dispatch")
class UploadView(View):
    """The token says what was asked for; the rest of the path is the file's name, and no path."""

    http_method_names = ["put", "post"]

    def put(self, request: HttpRequest, token: str, name: str = "") -> HttpResponse:
        return self._take(request, token, name)

    def post(self, request: HttpRequest, token: str, name: str = "") -> HttpResponse:
        return self._take(request, token, name)

    def _take(self, request: HttpRequest, token: str, name: str) -> HttpResponse:
        try:
            wanted = uploads.find_open(token)
            _refuse_too_long(request)
            if request.method == "POST" and request.content_type == "multipart/form-data":
                _take_form(request, wanted, name)
            else:
                uploads.receive(request=wanted, name=name, chunks=_body(request))
        except KubatError as error:
            body = {"code": error.code, "detail": error.detail}
            return JsonResponse(body, status=error.status)
        return HttpResponse(status=201)


def _refuse_too_long(request: HttpRequest) -> None:
    limit = settings.CSMS_UPLOAD_MAX_MB * storage.MEGABYTE + FORM_OVERHEAD_BYTES
    if _length(request) > limit:
        raise FileTooLarge


def _take_form(request: HttpRequest, wanted: LogRequest, name: str) -> None:
    files: list[Any] = [file for _field, many in request.FILES.lists() for file in many]
    if not files:
        raise BadRequest("The form holds no file.")
    for file in files:
        uploads.receive(
            request=wanted, name=file.name or name, chunks=file.chunks(storage.CHUNK_BYTES)
        )


def _body(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(storage.CHUNK_BYTES):
        yield piece


def _length(request: HttpRequest) -> int:
    text = request.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else 0
