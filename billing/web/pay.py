"""Where a driver pays: the way to the provider, what became of it, and the sandbox's own page.

Whoever has the address may open it, for paying another's top-up harms nobody; it shows an amount
and a state, and no person.
"""

import uuid

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from ..errors import KubatError
from ..models import Payment, SandboxPayment
from ..money import to_text
from ..payments.checkout import open_checkout
from ..payments.providers import ONLINE
from ..payments.sandbox import Mishap, Sandbox, complete
from .addresses import links_of


class PayView(View):
    """Send the driver on to the provider; afterwards, say how it went."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
        payment = _find(payment_id)
        if payment.status != Payment.Status.PENDING or "back" in request.GET:
            return _show(request, payment)
        try:
            address = open_checkout(payment.pk, links_of(request, payment))
        except KubatError as error:
            return _show(request, payment, error=error)
        return HttpResponseRedirect(address)


class SandboxView(View):
    """The sandbox's checkout: pay or refuse, with a mishap of one's choice."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
        order = _order(payment_id)
        if order.state != SandboxPayment.State.OPEN:
            return _leave(payment_id)
        context = {"amount": _amount(order.payment), "mishaps": Mishap.choices}
        return render(request, "billing/sandbox.html", context)

    def post(self, request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
        order = _order(payment_id)
        wish, mishap = request.POST.get("wish"), request.POST.get("mishap", Mishap.NONE)
        if wish not in ("pay", "fail") or mishap not in Mishap.values:
            return HttpResponse("Choose pay or fail.", status=400, content_type="text/plain")
        complete(
            order.pk,
            is_paid=wish == "pay",
            mishap=Mishap(mishap),
            webhook_url=links_of(request, order.payment).webhook,
        )
        return _leave(payment_id)


def _find(payment_id: uuid.UUID) -> Payment:
    payment = Payment.objects.filter(pk=payment_id, provider__in=ONLINE).first()
    if payment is None:
        raise Http404
    return payment


def _order(payment_id: uuid.UUID) -> SandboxPayment:
    row = SandboxPayment.objects.select_related("payment").filter(pk=payment_id).first()
    if row is None or not Sandbox().is_enabled():
        raise Http404
    return row


def _leave(payment_id: uuid.UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("pay", args=[payment_id]) + "?back=1")


def _amount(payment: Payment) -> str:
    return f"{to_text(payment.amount_minor)} {payment.currency}"


def _show(
    request: HttpRequest, payment: Payment, *, error: KubatError | None = None
) -> HttpResponse:
    context = {"payment": payment, "amount": _amount(payment), "error": error}
    return render(request, "billing/payment.html", context, status=error.status if error else 200)
