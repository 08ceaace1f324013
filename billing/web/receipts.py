"""A receipt behind the link that its driver was sent."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.views import View

from ..receipts import links, page
from ..receipts.languages import LANGUAGES
from ..receipts.layout import lay_out


class ReceiptLinkView(View):
    """The page of the newest document: the receipt, or its last correction."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        receipt = links.find(token)
        if receipt is None:
            raise Http404
        preferred = (get_language() or "en").partition("-")[0]
        code = preferred if preferred in LANGUAGES else "en"
        answer = HttpResponse(page.to_html(lay_out(receipt, code)))
        answer["Content-Language"] = code
        answer["Cache-Control"] = "private, no-store"
        answer["X-Robots-Tag"] = "noindex"
        answer["Referrer-Policy"] = "no-referrer"
        return answer
