"""Where terminal networks call: GET in, XML out, for known addresses with the right key only."""

import base64
import binascii
import hmac
import ipaddress
import logging

from django.conf import settings
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import View

from ..client import address_of
from ..errors import Forbidden
from ..payments.osmp import Answer, Result, answer

logger = logging.getLogger(__name__)

MAX_TERMINAL_LENGTH = 32


class OsmpView(View):
    http_method_names = ["get"]

    def get(self, request: HttpRequest, terminal: str) -> HttpResponse:
        if not settings.CSMS_OSMP_KEY or not settings.CSMS_OSMP_ADDRESSES:
            raise Http404
        if not (_is_known(address_of(request)) and _has_key(request)):
            error = Forbidden()
            return JsonResponse({"code": error.code, "detail": error.detail}, status=error.status)
        if len(terminal) > MAX_TERMINAL_LENGTH or not terminal.isidentifier():
            raise Http404
        try:
            said = answer(terminal, request.GET.dict())
        except OperationalError as error:
            logger.error("The database did not answer a terminal: %s", error)
            said = Answer(Result.TRY_AGAIN, request.GET.get("txn_id", "")[:20])
        return HttpResponse(said.to_xml(), content_type="text/xml; charset=utf-8")


def _is_known(address: str) -> bool:
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(
        client in ipaddress.ip_network(known, strict=False)
        for known in settings.CSMS_OSMP_ADDRESSES
    )


def _has_key(request: HttpRequest) -> bool:
    """Look for the key where a network can put it: a header, a password, or the address."""
    given = (
        request.headers.get("X-Api-Key")
        or _password(request.headers.get("Authorization", ""))
        or request.GET.get("key", "")
    )
    return hmac.compare_digest(given.encode(), settings.CSMS_OSMP_KEY.encode())


def _password(header: str) -> str:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
