"""Decide a payment by what its provider says when we ask: credited only if everything fits."""

import uuid

from django.db import transaction

from ..hooks.events import EventType, emit
from ..models import Payment, PaymentWebhook
from ..money import Minor, to_text
from .alarms import raise_alarm
from .provider import Report, State
from .topups import book_fee, confirm, locked

Outcome = PaymentWebhook.Outcome
Problem = Payment.Problem
Status = Payment.Status


@transaction.atomic
def decide(payment_id: uuid.UUID, report: Report) -> Outcome:
    """Bring a payment to what its provider reports; a repeat, or an older report, changes nothing.

    What was paid with another amount, currency or order is not credited: an alarm tells the
    operator. Raises NotFound.
    """
    payment = locked(payment_id)
    if payment.status in (Status.PAID, Status.REFUNDED):
        return _compare_credited(payment, report)
    if report.state == State.PENDING:
        return Outcome.PENDING
    if report.state == State.FAILED:
        return _fail(payment)
    if problem := _problem_in(payment, report):
        return _set_aside(payment, report, problem)
    confirm(payment.pk)
    if report.fee is not None:
        book_fee(payment.pk, report.fee)
    return Outcome.CREDITED


def _problem_in(payment: Payment, report: Report) -> Problem | None:
    if report.order not in ("", str(payment.pk)):
        return Problem.ORDER
    if payment.provider_ref and report.ref not in ("", payment.provider_ref):
        return Problem.ORDER
    if report.currency != payment.currency:
        return Problem.CURRENCY
    return None if report.amount == payment.amount_minor else Problem.AMOUNT


def _set_aside(payment: Payment, report: Report, problem: Problem) -> Outcome:
    payment.status = Status.FAILED
    payment.problem = problem
    payment.reported_minor = report.amount
    payment.due_at = None
    payment.save(update_fields=["status", "problem", "reported_minor", "due_at"])
    emit(EventType.PAYMENT_FAILED, payment)
    raise_alarm(
        "payment_mismatch",
        str(payment.pk),
        f"{payment.provider} reports {to_text(report.amount)} {report.currency} for a top-up of "
        f"{to_text(payment.amount_minor)} {payment.currency}: {problem.label}. "
        "Nothing was credited.",
    )
    return Outcome.MISMATCH


def _fail(payment: Payment) -> Outcome:
    if payment.status == Status.PENDING:
        payment.status = Status.FAILED
        payment.due_at = None
        payment.save(update_fields=["status", "due_at"])
        emit(EventType.PAYMENT_FAILED, payment)
    return Outcome.FAILED


def _compare_credited(payment: Payment, report: Report) -> Outcome:
    """It was credited: learn the fee that was not known then, and notice a reversal."""
    if report.fee is not None:
        book_fee(payment.pk, Minor(report.fee))
    if report.state == State.FAILED and payment.status == Status.PAID:
        raise_alarm(
            "payment_reversed",
            str(payment.pk),
            f"{payment.provider} says that a top-up of {to_text(payment.amount_minor)} "
            f"{payment.currency} failed, but it was credited.",
        )
    return Outcome.CREDITED
