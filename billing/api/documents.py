"""What all views of documents share: the language, and an answer that is a file."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import get_language, get_language_from_request
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from ..errors import Invalid
from ..receipts.languages import LANGUAGES

LANG = OpenApiParameter(
    "lang", str, enum=list(LANGUAGES), description="By default what the browser asks for."
)
FILES: dict[str, tuple[str, Any]] = {
    "pdf": ("application/pdf", OpenApiTypes.BINARY),
    "html": ("text/html", OpenApiTypes.STR),
    "csv": ("text/csv", OpenApiTypes.STR),
}


class ByPath(BaseContentNegotiation):
    """The path says what is answered, whatever the client accepts; errors are JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class DocumentView(APIView):
    content_negotiation_class = ByPath


def language_of(request: Request) -> str:
    """The code that `?lang=` names, else what the browser prefers. Raises Invalid."""
    code = request.query_params.get("lang")
    if code is None:
        preferred = (get_language() or "en").partition("-")[0]
        return preferred if preferred in LANGUAGES else "en"
    if code not in LANGUAGES:
        raise Invalid(fields={"lang": [f"Choose one of: {', '.join(LANGUAGES)}."]})
    return code


def language_asked_for(request: Request) -> str:
    """The language that an app asks for in Accept-Language; empty where it asks for none."""
    if not request.headers.get("Accept-Language"):
        return ""
    return get_language_from_request(request).partition("-")[0]


def as_file(content: bytes | str, *, name: str, kind: str, language: str) -> HttpResponse:
    """Answer with a file that a browser shows and keeps under this name."""
    media_type, _ = FILES[kind]
    return HttpResponse(
        content,
        content_type=media_type if kind == "pdf" else f"{media_type}; charset=utf-8",
        headers={
            "Content-Disposition": f'inline; filename="{name}.{kind}"',
            "Content-Language": language,
            "Cache-Control": "private, no-store",
        },
    )
