"""FreedomPay Kyrgyzstan: cards and wallets by a payment page (Merchant API of freedompay.kg).

`init_payment.php` opens a page, the result is posted to our webhook, `get_status3.php` is asked
before anything is credited, `revoke.php` returns money. Its texts never reach a log: an answer
may hold card data.
"""

from decimal import Decimal, InvalidOperation

import httpx
from django.conf import settings

from ..errors import ProviderRefused, ProviderUnavailable, UnverifiedWebhook
from ..models import Payment
from ..money import Minor, to_minor, to_text
from . import freedompay_wire as wire
from .provider import Checkout, Incoming, Links, Notice, Reply, Report, State, Verdict

TIMEOUT_S = 10
MAX_ANSWER = 256 * 1024
MAX_URL_LENGTH, MAX_REF_LENGTH = 1000, 64
MIN_LIFETIME_S, MAX_LIFETIME_S = 300, 604_800
UNKNOWN_PAYMENT = "340"
"""Its error code for a transaction that it does not have: the driver never reached its page."""

_FAILED = {"error", "failed", "rejected", "canceled", "cancelled", "expired"}
_VERDICTS = {
    Verdict.ACCEPTED: ("ok", ""),
    Verdict.UNKNOWN: ("rejected", "There is no such order."),
    Verdict.UNVERIFIED: ("error", "The signature is not right."),
}


class FreedomPay:
    name = "freedompay"
    is_for_staff = False

    def is_enabled(self) -> bool:
        return bool(settings.CSMS_FREEDOMPAY_MERCHANT_ID and settings.CSMS_FREEDOMPAY_SECRET)

    def begin(self, payment: Payment, links: Links) -> Checkout:
        lifetime_s = min(max(settings.CSMS_PAYMENT_LIFETIME_S, MIN_LIFETIME_S), MAX_LIFETIME_S)
        answer = _call(
            "init_payment.php",
            pg_order_id=str(payment.pk),
            pg_amount=to_text(payment.amount_minor),
            pg_currency=payment.currency,
            pg_description="Kubat: balance top-up",
            pg_result_url=links.webhook,
            pg_request_method="POST",
            pg_success_url=links.back,
            pg_failure_url=links.back,
            pg_lifetime=str(lifetime_s),
            pg_testing_mode="1" if settings.CSMS_FREEDOMPAY_TESTING else "0",
        )
        url, ref = _text(answer, "pg_redirect_url"), _text(answer, "pg_payment_id")
        is_page = url.startswith("https://") and len(url) <= MAX_URL_LENGTH
        if not is_page or not 0 < len(ref) <= MAX_REF_LENGTH:
            raise ProviderUnavailable("FreedomPay opened no payment page.")
        return Checkout(url=url, ref=ref)

    def parse_webhook(self, incoming: Incoming) -> Notice:
        try:
            fields = wire.read_form(incoming.body)
        except ValueError:
            raise UnverifiedWebhook from None
        if not wire.is_signed(self.name, fields, settings.CSMS_FREEDOMPAY_SECRET):
            raise UnverifiedWebhook
        return Notice(order=_text(fields, "pg_order_id"), fee=_fee(fields))

    def query_status(self, payment: Payment) -> Report:
        try:
            answer = _call("get_status3.php", **_identity(payment))
        except _UnknownPayment:
            return Report(State.PENDING)
        except ProviderRefused as error:
            raise ProviderUnavailable(error.detail) from error
        return Report(
            state=_state(answer),
            amount=_money(answer, "pg_amount"),
            currency=_text(answer, "pg_currency"),
            order=_text(answer, "pg_order_id"),
            ref=_text(answer, "pg_payment_id"),
            fee=_fee(answer),
            # It writes what it returned as a negative amount.
            returned=Minor(abs(_money(answer, "pg_refund_amount"))),
        )

    def refund(self, payment: Payment, amount: Minor) -> None:
        _call("revoke.php", **_identity(payment), pg_refund_amount=to_text(amount))

    def acknowledge(self, verdict: Verdict) -> Reply:
        status, description = _VERDICTS[verdict]
        fields = {"pg_status": status, "pg_description": description}
        body = wire.write_xml(wire.signed(self.name, fields, settings.CSMS_FREEDOMPAY_SECRET))
        return Reply(body, "application/xml", 403 if verdict == Verdict.UNVERIFIED else 200)


class _UnknownPayment(ProviderRefused):
    code = "provider_unknown_payment"


def _identity(payment: Payment) -> dict[str, str]:
    identity = {"pg_order_id": str(payment.pk)}
    return identity | ({"pg_payment_id": payment.provider_ref} if payment.provider_ref else {})


def _call(script: str, **fields: str) -> wire.Fields:
    """Call a script of theirs and return its verified answer.

    Raises ProviderRefused when it says no, ProviderUnavailable when it says nothing that we can
    trust.
    """
    secret = settings.CSMS_FREEDOMPAY_SECRET
    merchant = {"pg_merchant_id": settings.CSMS_FREEDOMPAY_MERCHANT_ID}
    form = wire.signed(script, {**merchant, **fields}, secret)
    try:
        answer = wire.read_xml(_post(f"{settings.CSMS_FREEDOMPAY_URL}/{script}", form))
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderUnavailable(f"{script}: {type(error).__name__}") from error
    if not wire.is_signed(script, answer, secret):
        raise ProviderUnavailable(f"{script}: an answer without a right signature")
    if _text(answer, "pg_status") == "ok":
        return answer
    code = _text(answer, "pg_error_code")
    refusal = _UnknownPayment if code == UNKNOWN_PAYMENT else ProviderRefused
    raise refusal(f"FreedomPay refused {script} (code {code or 'none'}).")


def _post(url: str, form: dict[str, str]) -> bytes:
    with httpx.stream("POST", url, data=form, timeout=TIMEOUT_S) as answer:
        answer.raise_for_status()
        body = b""
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise ValueError("an answer without end")
        return body


def _state(answer: wire.Fields) -> State:
    """What it calls anything else is still under way, and expires by itself."""
    status = _text(answer, "pg_payment_status").lower()
    if status == "success":
        return State.PAID
    return State.FAILED if status in _FAILED else State.PENDING


def _fee(fields: wire.Fields) -> Minor | None:
    """What it keeps: the amount less the net amount, where it names both."""
    if not _text(fields, "pg_net_amount"):
        return None
    try:
        fee = _money(fields, "pg_amount") - _money(fields, "pg_net_amount")
    except ProviderUnavailable:
        return None
    return Minor(fee) if fee >= 0 else None


def _money(fields: wire.Fields, name: str) -> Minor:
    """Read an amount; 0 where there is none. Raises ProviderUnavailable for what is no amount."""
    text = _text(fields, name)
    try:
        return to_minor(Decimal(text)) if text else Minor(0)
    except (ValueError, InvalidOperation):
        raise ProviderUnavailable(f"{name} is no amount of money") from None


def _text(fields: wire.Fields, name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else ""
