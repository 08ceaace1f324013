"""Tell a person something: one notice a channel, once a cause, in the caller's transaction."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from django.utils import timezone

from ..models import Notice, NoticeChannel, NoticeKind, OutboxMessage, Payment, PaymentReturn, User
from ..money import Minor
from ..receipts.languages import Code
from .choices import usable
from .words import WORDS, language_of, money

TOPIC = "notice"
NAMESPACE = uuid.UUID("5b1f6a0e-7d0c-4c0f-9a43-0d0f2f6a5a11")

Write = Callable[[Code], str]
"""Says something in a language."""


def tell(
    *,
    user: User,
    kinds: Sequence[NoticeKind],
    cause: str,
    write: Write,
    link: str = "",
    only: Sequence[str] | None = None,
    stale_after: dt.timedelta | None = None,
) -> int:
    """Queue a notice for each channel by which `user` hears of any of `kinds`; return how many.

    It is filed under the first kind; with the same `cause` it has an effect once. `only` bounds
    the channels: who was not told the beginning is not told the end. Later than `stale_after` it
    is not sent. The caller's transaction commits it together with what it is about.
    """
    channels = [one for one in usable(user, kinds) if only is None or one in only]
    if not channels:
        return 0
    language = language_of(user)
    now = timezone.now()
    text = write(language)
    notices = [
        Notice(
            id=notice_id(kinds[0], cause, channel),
            user=user,
            kind=kinds[0],
            channel=channel,
            cause=cause,
            language=language,
            text=text,
            link=link,
            created_at=now,
            stale_at=now + stale_after if stale_after else None,
        )
        for channel in channels
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    messages = [
        OutboxMessage(
            key=f"{TOPIC}:{row.pk}",
            topic=TOPIC,
            lane=f"notices:{row.channel}",
            payload={"notice": str(row.pk)},
        )
        for row in notices
    ]
    OutboxMessage.objects.bulk_create(messages, ignore_conflicts=True)
    return len(notices)


def notice_id(kind: NoticeKind, cause: str, channel: NoticeChannel) -> uuid.UUID:
    """The id of a notice: it is what makes a second one impossible."""
    return uuid.uuid5(NAMESPACE, f"{kind}|{cause}|{channel}")


def told_channels(cause: str) -> list[str]:
    """The channels by which a cause was told, or is about to be."""
    rows = Notice.objects.filter(cause=cause).exclude(status=Notice.Status.DROPPED)
    return list(rows.values_list("channel", flat=True))


def tell_of_payment(payment: Payment) -> None:
    """A top-up is on the balance. A guest, who pays for one charge, knows."""
    if payment.user.is_guest:
        return
    amount = Minor(payment.amount_minor)
    tell(
        user=payment.user,
        kinds=[NoticeKind.MONEY],
        cause=payment.reference,
        write=lambda code: WORDS[code].arrived.format(amount=money(amount, code)),
    )


def tell_of_return(row: PaymentReturn) -> None:
    """Money is sent back to where it came from."""
    amount = Minor(row.amount_minor)
    tell(
        user=row.payment.user,
        kinds=[NoticeKind.MONEY],
        cause=f"return:{row.pk}",
        write=lambda code: WORDS[code].sent_back.format(amount=money(amount, code)),
    )
