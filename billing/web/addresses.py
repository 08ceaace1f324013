"""Our own addresses, as others reach them."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from ..models import Payment
from ..payments.provider import Links


def absolute(request: HttpRequest, path: str) -> str:
    """A path under CSMS_PUBLIC_URL, or else under the address that this request was sent to."""
    base: str = settings.CSMS_PUBLIC_URL
    return base.rstrip("/") + path if base else request.build_absolute_uri(path)


def links_of(request: HttpRequest, payment: Payment) -> Links:
    webhook = reverse("webhook", args=[payment.provider])
    back = reverse("pay", args=[payment.pk])
    return Links(webhook=absolute(request, webhook), back=f"{absolute(request, back)}?back=1")
