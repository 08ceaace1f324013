"""Correct a balance by hand: goodwill, a mistake, cash at the counter."""

import uuid

from django.db import transaction

from . import ledger
from .errors import Invalid
from .models import Transfer, User
from .money import Minor
from .reasons import stated


@transaction.atomic
def adjust_balance(
    *,
    user: User,
    amount: Minor,
    reason: str,
    made_by: User,
    request_id: uuid.UUID | None = None,
) -> Transfer:
    """Give `amount` minor units to a user, or take them when it is negative.

    A repeat with the same `request_id` returns the first transfer. Raises Invalid without a
    reason or an amount, InsufficientFunds when more is taken than is available: what is on hold
    stays.
    """
    reason = stated(reason)
    if amount == 0:
        raise Invalid(fields={"amount": ["Ensure this value is not 0."]})
    own, theirs = ledger.house(ledger.Kind.ADJUSTMENT), ledger.account_of(user)
    debit, credit = (own, theirs) if amount > 0 else (theirs, own)
    return ledger.post(
        key=f"adjust:{request_id or uuid.uuid4()}",
        code=Transfer.Code.ADJUSTMENT,
        debit=debit,
        credit=credit,
        amount=Minor(abs(amount)),
        reference=f"user:{user.pk}",
        reason=reason,
        made_by=made_by,
    )
