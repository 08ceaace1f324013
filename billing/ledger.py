"""The only writer of accounts and transfers: post, hold, capture, void.

Every call needs a caller-made `key` and is idempotent by it: the same key with the same amount
and accounts returns the first transfer, and anything else under that key is refused. A balance
moves by one guarded UPDATE (the database's CHECK stands behind it), accounts in order of id, so
that two transfers never wait for each other. It knows nothing of chargers: `reference` is opaque.
"""

import uuid

from django.conf import settings
from django.db import transaction
from django.db.models import F

from .errors import Conflict, HoldResolved, InsufficientFunds
from .models import Account, Transfer, User
from .money import Minor

Kind = Account.Kind


def account_of(user: User) -> Account:
    """Return the user's account, made on first use."""
    account, _ = Account.objects.get_or_create(
        owner=user, defaults={"kind": Kind.CUSTOMER, "currency": settings.CSMS_CURRENCY}
    )
    return account


def house(kind: Account.Kind) -> Account:
    """Return the operator's account of this kind, made on first use."""
    account, _ = Account.objects.get_or_create(
        kind=kind, defaults={"currency": settings.CSMS_CURRENCY}
    )
    return account


def lock(*accounts: Account) -> list[Account]:
    """Lock accounts for this transaction and return them as they are now, in order of id.

    A use case that moves money more than once locks all that it may touch here, first.
    """
    # No key: a transfer's foreign keys are checked at its commit and must not wait for this lock,
    # or a hold on A, which refers to sales, and a settlement that has sales and waits for A
    # would wait for each other.
    rows = Account.objects.select_for_update(no_key=True)
    return list(rows.filter(pk__in={account.pk for account in accounts}).order_by("pk"))


@transaction.atomic
def post(
    *,
    key: str,
    code: Transfer.Code,
    debit: Account,
    credit: Account,
    amount: Minor,
    reference: str = "",
    reason: str = "",
    made_by: User | None = None,
) -> Transfer:
    """Move `amount` (> 0) from debit to credit at once.

    Raises InsufficientFunds when the debit is a customer who does not have it available.
    """
    made, transfer = _insert(
        key=key,
        kind=Transfer.Kind.POSTED,
        code=code,
        debit=debit,
        credit=credit,
        amount_minor=amount,
        reference=reference,
        reason=reason,
        made_by=made_by,
    )
    if made:
        _move(debit=debit, credit=credit, amount=amount)
    return transfer


@transaction.atomic
def hold(*, key: str, account: Account, amount: Minor, reference: str) -> Transfer:
    """Set `amount` (> 0) aside on a customer's account, to be captured as sales or voided.

    Raises InsufficientFunds.
    """
    made, transfer = _insert(
        key=key,
        kind=Transfer.Kind.PENDING,
        code=Transfer.Code.CHARGE,
        debit=account,
        credit=house(Kind.SALES),
        amount_minor=amount,
        reference=reference,
    )
    if made:
        _reserve(account, amount)
    return transfer


@transaction.atomic
def capture(pending: Transfer, amount: Minor) -> Transfer:
    """Take `amount`, at most what is pending, and free the rest; 0 voids.

    Repeating it with the same amount returns the first capture. Raises HoldResolved when the
    hold was resolved otherwise, ValueError when the amount exceeds the hold.
    """
    if amount == 0:
        return void(pending)
    if not 0 < amount <= pending.amount_minor:
        raise ValueError(f"a capture of {amount} is not within {pending.amount_minor}")
    made, transfer = _resolve(pending, Transfer.Kind.CAPTURED, amount)
    if made:
        _move(
            debit=pending.debit,
            credit=pending.credit,
            amount=amount,
            release=pending.amount_minor,
        )
    return transfer


@transaction.atomic
def void(pending: Transfer) -> Transfer:
    """Free a hold. Repeating it is harmless; raises HoldResolved when it was captured."""
    made, transfer = _resolve(pending, Transfer.Kind.VOIDED, Minor(pending.amount_minor))
    if made:
        Account.objects.filter(pk=pending.debit_id).update(
            held_minor=F("held_minor") - pending.amount_minor
        )
    return transfer


@transaction.atomic
def replace(pending: Transfer, *, key: str, amount: Minor) -> Transfer:
    """Put a hold of `amount` (> 0) in the place of another on the same account.

    The account is locked from the first row to the commit, so what the old hold frees is there for
    the new one only. Repeating it returns the same hold. Raises InsufficientFunds, HoldResolved.
    """
    lock(pending.debit)
    void(pending)
    return hold(key=key, account=pending.debit, amount=amount, reference=pending.reference)


def pending_hold(reference: str) -> Transfer | None:
    """Return the one unresolved hold of a reference, or None when there is none (P2)."""
    return (
        Transfer.objects.pending()
        .filter(reference=reference)
        .select_related("debit", "credit")
        .first()
    )


def _insert(*, key: str, **values: object) -> tuple[bool, Transfer]:
    """Insert a transfer unless its key is known; a known key must mean the same movement."""
    values["id"] = uuid.uuid4()
    new = Transfer(key=key, **values)
    _check(new)
    Transfer.objects.bulk_create([new], ignore_conflicts=True)
    transfer = Transfer.objects.select_related("debit", "credit").get(key=key)
    made = transfer.pk == values["id"]
    same = all(
        getattr(transfer, name) == values[name]
        for name in ("kind", "debit", "credit", "amount_minor")
    )
    if not same:
        raise Conflict(f"The transfer {key} exists with other values.")
    return made, transfer


def _check(new: Transfer) -> None:
    """Refuse what no transfer may be: SQLite would ignore a broken CHECK like a known key."""
    if new.amount_minor <= 0 or new.debit_id == new.credit_id:
        raise ValueError("a transfer moves a positive amount between two accounts")
    if new.debit.currency != new.credit.currency:
        raise ValueError(f"{new.debit.currency} cannot become {new.credit.currency}")


def _resolve(pending: Transfer, kind: Transfer.Kind, amount: Minor) -> tuple[bool, Transfer]:
    if pending.kind != Transfer.Kind.PENDING:
        raise ValueError(f"a transfer that is {pending.kind} cannot be resolved")
    transfer, made = Transfer.objects.get_or_create(
        resolves=pending,
        defaults={
            "key": f"resolve:{pending.pk}",
            "kind": kind,
            "code": pending.code,
            "debit": pending.debit,
            "credit": pending.credit,
            "amount_minor": amount,
            "reference": pending.reference,
        },
    )
    if (transfer.kind, transfer.amount_minor) != (kind, amount):
        raise HoldResolved
    return made, transfer


def _reserve(account: Account, amount: Minor) -> None:
    reserved = Account.objects.filter(
        pk=account.pk, balance_minor__gte=F("held_minor") + amount
    ).update(held_minor=F("held_minor") + amount)
    if not reserved:
        raise InsufficientFunds


def _move(*, debit: Account, credit: Account, amount: Minor, release: int = 0) -> None:
    """Change both balances, lower id first; `release` is what the debit's holds shrink by."""

    def take() -> None:
        row = Account.objects.filter(pk=debit.pk)
        if debit.kind == Kind.CUSTOMER:
            row = row.filter(balance_minor__gte=F("held_minor") - release + amount)
        changed = row.update(
            balance_minor=F("balance_minor") - amount, held_minor=F("held_minor") - release
        )
        if not changed:
            raise InsufficientFunds

    def give() -> None:
        Account.objects.filter(pk=credit.pk).update(balance_minor=F("balance_minor") + amount)

    for step in (take, give) if debit.pk < credit.pk else (give, take):
        step()
