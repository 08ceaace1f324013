"""Money goes back: refunds through the provider, payouts by hand, chargebacks by the bank.

A refund leaves the balance before the provider is asked, so that it cannot be spent meanwhile,
and comes back when the provider refuses. Locks: payment, then accounts by id.
"""

import uuid

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from .. import ledger
from ..blocking import block
from ..errors import Conflict, InsufficientFunds, Invalid, ProviderRefused
from ..models import Account, OutboxMessage, Payment, PaymentReturn, Transfer, User
from ..money import Minor, to_text
from ..notices.telling import tell_of_return
from .alarms import raise_alarm
from .providers import ONLINE, PROVIDERS
from .topups import locked

TOPIC = "payment.refund"
MAX_REASON_LENGTH = 200

Code, Kind, Status = Transfer.Code, PaymentReturn.Kind, PaymentReturn.Status


@transaction.atomic
def request_refund(
    *,
    payment_id: uuid.UUID,
    amount: Minor,
    reason: str,
    made_by: User,
    request_id: uuid.UUID | None = None,
) -> PaymentReturn:
    """Take `amount` (> 0) of a paid top-up off the balance and send it back by its provider.

    A repeat with the same `request_id` returns the first refund. Raises NotFound, Invalid,
    Conflict when the payment is not paid, less is left of it or another refund is under way,
    InsufficientFunds when it is spent or on hold.
    """
    reason = _checked(reason)
    payment = locked(payment_id)
    first = PaymentReturn.objects.filter(pk=request_id).first() if request_id else None
    if first:
        return first
    _check_refundable(payment, amount)
    row = PaymentReturn.objects.create(
        pk=request_id or uuid.uuid4(),
        payment=payment,
        kind=Kind.REFUND,
        amount_minor=amount,
        reason=reason,
        made_by=made_by,
    )
    ledger.post(
        key=f"refund:{row.pk}",
        code=Code.REFUND,
        debit=ledger.account_of(payment.user),
        credit=ledger.house(Account.Kind.FUNDING),
        amount=amount,
        reference=payment.reference,
        reason=reason,
        made_by=made_by,
    )
    OutboxMessage.objects.create(
        key=f"{TOPIC}:{row.pk}", topic=TOPIC, payload={"return": str(row.pk)}
    )
    return row


def send_refund(message: OutboxMessage) -> None:
    """Carry a refund out at its provider, once: a delivery of the outbox.

    The provider is asked first what it has returned already, since a call whose answer was lost
    must not be made twice. Raises ProviderUnavailable, to be tried again.
    """
    row = PaymentReturn.objects.select_related("payment").get(pk=message.payload["return"])
    if row.status != Status.PENDING:
        return
    try:
        if not _is_returned(row):
            PROVIDERS[row.payment.provider].refund(row.payment, Minor(row.amount_minor))
    except ProviderRefused as refusal:
        _take_back(row.pk, refusal)
        return
    _finish(row.pk)


@transaction.atomic
def record_chargeback(*, payment_id: uuid.UUID, reason: str, made_by: User) -> PaymentReturn:
    """Book that the bank took a top-up back: from what is available, the rest is our loss.

    The driver is blocked; what runs goes on and is paid from its hold. A repeat returns the first
    one. Raises NotFound, Invalid, Conflict when nothing of the payment is left or a refund of it
    is under way.
    """
    reason = _checked(reason)
    payment = locked(payment_id)
    first = payment.returns.filter(kind=Kind.CHARGEBACK).first()
    if first:
        return first
    if payment.returns.filter(status=Status.PENDING).exists():
        raise Conflict("A refund of this top-up is under way.")
    left = left_of(payment)
    if payment.status != Payment.Status.PAID or left <= 0:
        raise Conflict("Nothing of this top-up is left to be charged back.")
    loss = _book_chargeback(payment, left, reason=reason, made_by=made_by)
    row = PaymentReturn.objects.create(
        payment=payment,
        kind=Kind.CHARGEBACK,
        status=Status.DONE,
        amount_minor=left,
        loss_minor=loss,
        reason=reason,
        made_by=made_by,
        ended_at=timezone.now(),
    )
    _mark_if_all_returned(payment)
    if payment.user.is_active and not payment.user.is_staff:
        block(user=payment.user, by=made_by)
    return row


@transaction.atomic
def pay_out(
    *,
    user: User,
    amount: Minor,
    reason: str,
    made_by: User,
    request_id: uuid.UUID | None = None,
) -> Transfer:
    """Take `amount` (> 0) off a balance that staff pay out by cash or bank transfer.

    A repeat with the same `request_id` returns the first transfer. Raises Invalid, and
    InsufficientFunds when more is asked for than is available.
    """
    if amount <= 0:
        raise Invalid(fields={"amount": ["Ensure this value is greater than 0."]})
    return ledger.post(
        key=f"payout:{request_id or uuid.uuid4()}",
        code=Code.PAYOUT,
        debit=ledger.account_of(user),
        credit=ledger.house(Account.Kind.FUNDING),
        amount=amount,
        reference=f"user:{user.pk}",
        reason=_checked(reason),
        made_by=made_by,
    )


def left_of(payment: Payment) -> Minor:
    """What of a credited payment was not returned yet, nor is about to be."""
    returned = payment.returns.exclude(status=Status.FAILED).aggregate(sum=Sum("amount_minor"))
    return Minor(payment.amount_minor - (returned["sum"] or 0))


def _check_refundable(payment: Payment, amount: Minor) -> None:
    if payment.provider not in PROVIDERS:
        raise Conflict("This way to pay cannot send money back: pay it out.")
    if payment.status != Payment.Status.PAID:
        raise Conflict("This top-up is not paid, or was returned.")
    if payment.returns.filter(status=Status.PENDING).exists():
        raise Conflict("A refund of this top-up is under way.")
    if amount <= 0:
        raise Invalid(fields={"amount": ["Ensure this value is greater than 0."]})
    if amount > left_of(payment):
        raise Conflict(f"Only {to_text(left_of(payment))} of this top-up is left.")
    if amount > ledger.account_of(payment.user).available_minor:
        raise InsufficientFunds("This money is spent or on hold.")


def _is_returned(row: PaymentReturn) -> bool:
    """Whether the provider has returned this already, beside all that was done before."""
    provider = ONLINE.get(row.payment.provider)
    if provider is None:
        return False
    done = row.payment.returns.filter(kind=Kind.REFUND, status=Status.DONE)
    before = done.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return provider.query_status(row.payment).returned >= before + row.amount_minor


@transaction.atomic
def _finish(return_id: uuid.UUID) -> None:
    row = _locked_return(return_id)
    if row.status == Status.PENDING:
        _end(row, Status.DONE)
        _mark_if_all_returned(row.payment)
        tell_of_return(row)


@transaction.atomic
def _take_back(return_id: uuid.UUID, refusal: ProviderRefused) -> None:
    """The provider keeps the money: it is the driver's again."""
    row = _locked_return(return_id)
    if row.status != Status.PENDING:
        return
    _end(row, Status.FAILED)
    ledger.post(
        key=f"refund:{row.pk}:back",
        code=Code.REFUND,
        debit=ledger.house(Account.Kind.FUNDING),
        credit=ledger.account_of(row.payment.user),
        amount=Minor(row.amount_minor),
        reference=row.payment.reference,
        reason=refusal.detail[:MAX_REASON_LENGTH],
    )
    raise_alarm(
        "refund_refused",
        str(row.pk),
        f"{row.payment.provider} refused to return {to_text(row.amount_minor)}: {refusal.detail}",
    )


def _locked_return(return_id: uuid.UUID) -> PaymentReturn:
    payment_id = PaymentReturn.objects.values_list("payment", flat=True).get(pk=return_id)
    payment = locked(payment_id)
    row = PaymentReturn.objects.get(pk=return_id)
    row.payment = payment
    return row


def _end(row: PaymentReturn, status: PaymentReturn.Status) -> None:
    row.status = status
    row.ended_at = timezone.now()
    row.save(update_fields=["status", "ended_at"])


def _mark_if_all_returned(payment: Payment) -> None:
    done = payment.returns.filter(status=Status.DONE).aggregate(sum=Sum("amount_minor"))["sum"]
    if done == payment.amount_minor:
        payment.status = Payment.Status.REFUNDED
        payment.save(update_fields=["status"])


def _book_chargeback(payment: Payment, amount: Minor, *, reason: str, made_by: User) -> Minor:
    """Move `amount` back to funding; return how much of it nobody but we can pay."""
    funding, loss = ledger.house(Account.Kind.FUNDING), ledger.house(Account.Kind.LOSS)
    accounts = ledger.lock(ledger.account_of(payment.user), funding, loss)
    customer = next(row for row in accounts if row.owner_id == payment.user_id)
    taken = min(customer.available_minor, amount)
    parts = (("", customer, taken), (":loss", loss, amount - taken))
    for suffix, debit, part in parts:
        if part > 0:
            ledger.post(
                key=f"chargeback:{payment.pk}{suffix}",
                code=Code.CHARGEBACK,
                debit=debit,
                credit=funding,
                amount=Minor(part),
                reference=payment.reference,
                reason=reason,
                made_by=made_by,
            )
    return Minor(amount - taken)


def _checked(reason: str) -> str:
    if not 0 < len(reason.strip()) <= MAX_REASON_LENGTH:
        raise Invalid(fields={"reason": [f"Say why, in at most {MAX_REASON_LENGTH} characters."]})
    return reason.strip()
