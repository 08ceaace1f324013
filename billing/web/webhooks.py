"""Where payment providers report: anonymous, bounded, kept before it is understood."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from ..client import address_of
from ..errors import KubatError, TooManyAttempts
from ..limits import Limit
from ..payments.provider import Incoming, Verdict
from ..payments.providers import ONLINE
from ..payments.sandbox import SIGNATURE_HEADER
from ..payments.webhooks import is_signed, receive

MAX_BODY = 64 * 1024
UNSIGNED = Limit("unsigned_webhooks", times=30, period_s=60)
"""An address that sends what no provider signed fills no table; what is signed always comes in."""


@method_decorator(csrf_exempt, name="dispatch")
class WebhookView(View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        found = ONLINE.get(provider)
        if found is None or not found.is_enabled():
            raise Http404
        if _length_of(request) > MAX_BODY or len(request.body) > MAX_BODY:
            return _refuse(KubatError("This message is too long."), status=413)
        address = address_of(request)
        incoming = _read(request, address)
        wait_s = UNSIGNED.wait_s(address)
        if wait_s and not is_signed(found, incoming):
            return _refuse(TooManyAttempts(retry_after_s=wait_s))
        verdict = receive(found, incoming)
        if verdict == Verdict.UNVERIFIED:
            UNSIGNED.count(address)
        reply = found.acknowledge(verdict)
        return HttpResponse(reply.body, content_type=reply.content_type, status=reply.status)


def _length_of(request: HttpRequest) -> int:
    text = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(text) if text.isdecimal() else MAX_BODY + 1


def _read(request: HttpRequest, address: str) -> Incoming:
    return Incoming(
        body=request.body,
        content_type=request.content_type or "",
        signature=request.headers.get(SIGNATURE_HEADER, ""),
        address=address,
    )


def _refuse(error: KubatError, *, status: int = 0) -> HttpResponse:
    answer = JsonResponse(
        {"code": error.code, "detail": error.detail}, status=status or error.status
    )
    if isinstance(error, TooManyAttempts):
        answer["Retry-After"] = str(error.retry_after_s)
    return answer
