"""Top-ups by payment terminals and wallets, in the OSMP (QIWI terminal) protocol.

`check` asks whether an account can be paid, `pay` pays. A `pay` is known by its terminal and
`txn_id`: whoever sends it again, at the same moment or a year later, gets the first answer.
"""

import datetime as dt
import re
import xml.etree.ElementTree as ET
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from django.conf import settings
from django.db import transaction

from ..models import Payment, TerminalPayment, User
from ..money import Minor, to_minor, to_text
from ..phone import to_e164
from .topups import confirm

PROVIDER = "osmp"

_TXN_ID = re.compile(r"[0-9]{1,20}")
_SUM = re.compile(r"[0-9]{1,9}([.,][0-9]{1,2})?")
_ACCOUNT = re.compile(r"\+?[0-9]{5,15}")
_DATE = re.compile(r"[0-9]{14}")
MAX_ACCOUNT_LENGTH = 32


class Result(IntEnum):
    """What the protocol answers with. Of its codes, 79 (not active) and 90 (not finished) are
    never given: an account of ours is open or blocked, and a payment is made at once."""

    OK = 0
    TRY_AGAIN = 1
    WRONG_ACCOUNT = 4
    NO_ACCOUNT = 5
    NOT_ACCEPTED = 7
    TECHNICAL = 8
    TOO_SMALL = 241
    TOO_BIG = 242
    OTHER = 300


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request; `sum` is None only in a check that names none."""

    command: str
    txn_id: str
    account: str
    amount: Minor | None
    txn_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    txn_id: str = ""
    prv_txn: int | None = None
    amount: int | None = None
    comment: str = ""

    def to_xml(self) -> str:
        root = ET.Element("response")
        fields = {
            "osmp_txn_id": self.txn_id,
            "prv_txn": self.prv_txn,
            "sum": None if self.amount is None else to_text(self.amount),
            "result": int(self.result),
            "comment": self.comment or self.result.name.lower().replace("_", " "),
        }
        for name, value in fields.items():
            if value is not None:
                ET.SubElement(root, name).text = str(value)
        return '<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(root, encoding="unicode")


def answer(terminal: str, query: Mapping[str, str]) -> Answer:
    """Carry out one request of a terminal network and say how it went; raises nothing of its own.

    Money is taken in KGS-like minor units of CSMS_CURRENCY; `txn_date` is in CSMS_TIME_ZONE.
    """
    txn_id = query.get("txn_id", "")
    try:
        request = _read(query)
    except ValueError as error:
        is_number = _TXN_ID.fullmatch(txn_id) is not None
        return Answer(Result.OTHER, txn_id if is_number else "", comment=str(error))
    if request.command == "check":
        result, _ = _judge(request)
        return Answer(result, request.txn_id, amount=request.amount)
    return _pay(terminal, request)


def _read(query: Mapping[str, str]) -> Request:
    """Raises ValueError for what the protocol does not know; a wrong account is judged later."""
    command = query.get("command", "")
    if command not in ("check", "pay"):
        raise ValueError("unknown command")
    txn_id, text = query.get("txn_id", ""), query.get("sum", "")
    if not _TXN_ID.fullmatch(txn_id):
        raise ValueError("txn_id is a number of at most 20 digits")
    if not _SUM.fullmatch(text) and (command == "pay" or text):
        raise ValueError("sum is an amount with at most two decimals")
    date = query.get("txn_date", "")
    return Request(
        command=command,
        txn_id=txn_id,
        account=query.get("account", "").strip()[:MAX_ACCOUNT_LENGTH].replace("\x00", ""),
        amount=to_minor(Decimal(text.replace(",", "."))) if text else None,
        txn_at=_moment(date) if command == "pay" or date else None,
    )


def _moment(text: str) -> dt.datetime:
    if not _DATE.fullmatch(text):
        raise ValueError("txn_date is YYYYMMDDHHMMSS")
    local = dt.datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - its zone is ours
    return local.replace(tzinfo=zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE))


def _judge(request: Request) -> tuple[Result, User | None]:
    """Whether this may be paid, and to whom."""
    if not _ACCOUNT.fullmatch(request.account):
        return Result.WRONG_ACCOUNT, None
    user = _find(request.account)
    if user is None:
        return Result.NO_ACCOUNT, None
    if not user.is_active:
        return Result.NOT_ACCEPTED, None
    if request.amount is not None:
        if request.amount < to_minor(settings.CSMS_OSMP_MIN):
            return Result.TOO_SMALL, None
        if request.amount > to_minor(settings.CSMS_OSMP_MAX):
            return Result.TOO_BIG, None
    return Result.OK, user


def _find(account: str) -> User | None:
    """A driver by phone: terminals send it with or without its country, and without its plus."""
    spellings = set()
    for text in (account, f"+{account.lstrip('+')}"):
        try:
            spellings.add(to_e164(text))
        except ValueError:
            continue
    return User.objects.filter(phone__in=spellings).order_by("phone").first()


@transaction.atomic
def _pay(terminal: str, request: Request) -> Answer:
    assert request.amount is not None  # `_read` lets no pay through without
    assert request.txn_at is not None
    if request.amount == 0:
        return Answer(Result.TOO_SMALL, request.txn_id, amount=0)
    row, is_first = TerminalPayment.objects.get_or_create(
        terminal=terminal,
        txn_id=request.txn_id,
        defaults={
            "account": request.account,
            "amount_minor": request.amount,
            "txn_at": request.txn_at,
            # Refused until it is accepted, in this same transaction.
            "result": Result.TECHNICAL,
        },
    )
    if is_first:
        _accept(row, request)
    elif (row.account, row.amount_minor) != (request.account, request.amount):
        comment = "this txn_id was used for another payment"
        return Answer(Result.OTHER, request.txn_id, comment=comment)
    return Answer(
        Result(row.result),
        row.txn_id,
        prv_txn=row.pk if row.result == Result.OK else None,
        amount=row.amount_minor,
    )


def _accept(row: TerminalPayment, request: Request) -> None:
    row.result, user = _judge(request)
    if user is not None:
        row.payment = Payment.objects.create(
            user=user,
            provider=PROVIDER,
            provider_ref=f"{row.terminal}:{row.txn_id}",
            amount_minor=row.amount_minor,
            currency=settings.CSMS_CURRENCY,
        )
        confirm(row.payment.pk)
    row.save(update_fields=["result", "payment"])
