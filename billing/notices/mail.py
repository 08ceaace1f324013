"""Notices by e-mail, through Django's mail (EMAIL_URL)."""

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from ..models import Notice
from ..receipts.languages import Code
from .errors import NotDelivered, Undeliverable
from .words import WORDS


def send(address: str, notice: Notice) -> None:
    """Send a notice as plain text. Raises NotDelivered, Undeliverable.

    A repeat has the same Message-ID, so that a mailbox can tell it from a second notice.
    """
    code: Code = notice.language  # type: ignore[assignment]  # written by language_of
    message = EmailMessage(
        subject=WORDS[code].subjects[notice.kind],
        body=_body(notice, code),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[address],
        headers={
            "Message-ID": f"<{notice.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",  # no holiday answers, please (RFC 3834)
        },
        connection=get_connection(fail_silently=False),
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if codes and all(500 <= code < 600 for code in codes):
            raise Undeliverable(f"the mail server refused the address ({codes[0]})") from None
        raise NotDelivered("the mail server puts the address off") from None
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"the mail server answered {error.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as error:  # its text may hold the address
        raise NotDelivered(f"no mail server: {type(error).__name__}") from None


def _body(notice: Notice, code: Code) -> str:
    words = WORDS[code]
    parts = [notice.text]
    if notice.link:
        parts.append(words.receipt.format(link=notice.link))
    parts.append("-- \n" + words.why.format(seller=settings.CSMS_SELLER_NAME))
    if settings.CSMS_SELLER_CONTACT:
        parts[-1] += "\n" + words.stranger.format(contact=settings.CSMS_SELLER_CONTACT)
    return "\n\n".join(parts)
