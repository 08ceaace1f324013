"""Rules about money: books, payments that do not end, messages that nobody signed."""

import datetime as dt
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.db.models import Count, Sum

from billing.models import Account, Payment, PaymentReturn, PaymentWebhook
from billing.money import to_text
from billing.payments.polling import GRACE, lifetime

from .rule import Found, Look

HOUR = dt.timedelta(hours=1)


def imbalance_begun(look: Look) -> Iterator[Found]:
    """Money only moves: all balances together are zero at any moment."""
    total = _imbalance()
    if total:
        text = f"All balances together are {to_text(total)} instead of 0.00."
        yield Found("accounts", text, detail={"minor": total})


def imbalance_over(look: Look) -> Iterable[str]:
    return look.causes(look.open) if _imbalance() == 0 else ()


def _imbalance() -> int:
    return int(Account.objects.aggregate(sum=Sum("balance_minor", default=0))["sum"])


def payments_stuck(look: Look) -> Iterator[Found]:
    """Top-ups that are pending beyond their time, and refunds that are not carried out."""
    late = dt.timedelta(seconds=settings.CSMS_PAYMENT_ALERT_S)
    pending = Payment.objects.filter(
        status=Payment.Status.PENDING, created_at__lte=look.now - lifetime() - GRACE - late
    )
    for row in pending.order_by("created_at"):
        since = f"{row.created_at:%Y-%m-%d %H:%M} UTC"
        text = (
            f"A top-up of {to_text(row.amount_minor)} by {row.provider} is pending since {since}."
        )
        yield Found(f"payment:{row.pk}", text)
    refunds = PaymentReturn.objects.filter(
        status=PaymentReturn.Status.PENDING, created_at__lte=look.now - late
    )
    for refund in refunds.select_related("payment").order_by("created_at"):
        since = f"{refund.created_at:%Y-%m-%d %H:%M} UTC"
        amount, provider = to_text(refund.amount_minor), refund.payment.provider
        text = f"A refund of {amount} by {provider} is not carried out since {since}."
        yield Found(f"return:{refund.pk}", text)


def payments_ended(look: Look) -> Iterator[str]:
    causes = set(look.causes(look.open))
    payments = _named(causes, "payment")
    refunds = _named(causes, "return")
    pending = Payment.objects.filter(pk__in=payments, status=Payment.Status.PENDING)
    waiting = PaymentReturn.objects.filter(pk__in=refunds, status=PaymentReturn.Status.PENDING)
    still = {f"payment:{pk}" for pk in pending.values_list("pk", flat=True)}
    still |= {f"return:{pk}" for pk in waiting.values_list("pk", flat=True)}
    yield from sorted(causes - still)


def forgeries_begun(look: Look) -> Iterator[Found]:
    """Providers in whose name many messages came that they did not sign."""
    for provider, number in _unsigned(look):
        if number >= settings.CSMS_UNVERIFIED_WEBHOOKS:
            text = f"{number} payment messages in the name of {provider} within an hour were "
            yield Found(provider, f"{text}not signed by it.")


def forgeries_over(look: Look) -> Iterator[str]:
    still = {provider for provider, _ in _unsigned(look)}
    yield from sorted(set(look.causes(look.open)) - still)


def _unsigned(look: Look) -> list[tuple[str, int]]:
    rows = PaymentWebhook.objects.filter(
        received_at__gte=look.now - HOUR, outcome=PaymentWebhook.Outcome.UNVERIFIED
    )
    return list(rows.order_by().values_list("provider").annotate(number=Count("pk")))


# --- What something else opens ----------------------------------------------------------------


def mismatches_over(look: Look) -> Iterator[str]:
    """Top-ups of which another amount came, and that were credited or returned since."""
    done = (Payment.Status.PAID, Payment.Status.REFUNDED)
    yield from _with_status(look, done)


def reversals_over(look: Look) -> Iterator[str]:
    """Credited top-ups that the provider took back, and that were returned here too."""
    yield from _with_status(look, (Payment.Status.REFUNDED,))


def _with_status(look: Look, statuses: tuple[Payment.Status, ...]) -> list[str]:
    rows = Payment.objects.filter(pk__in=look.causes(look.open), status__in=statuses)
    return [str(pk) for pk in rows.values_list("pk", flat=True)]


def _named(causes: Iterable[str], name: str) -> list[str]:
    return [cause.partition(":")[2] for cause in causes if cause.startswith(f"{name}:")]
