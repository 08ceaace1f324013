"""Our authority's root and its revocation list, for proxies and stations: no secret, no log-in."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ..certificates import authority, issue


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """The root certificate as PEM (RFC 7468)."""
    return HttpResponse(authority.load().pem, content_type="application/x-pem-file")


@require_safe
def revocations(request: HttpRequest) -> HttpResponse:
    """The revocation list in DER (RFC 5280 §5), good for a week."""
    return HttpResponse(issue.revocation_list(), content_type="application/pkix-crl")
