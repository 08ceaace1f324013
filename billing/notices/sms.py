"""Notices by SMS, through a gateway that Apprise knows: CSMS_SMS_URL with {phone} in it."""

from urllib.parse import quote

from django.conf import settings

from ..models import Notice
from .errors import NotDelivered

PART, IN_PARTS = 70, 67
"""Characters of a message of one part, and of a part among several, where not all are Latin."""
MOST = 2 * IN_PARTS


def send(address: str, notice: Notice) -> None:
    """Send a notice to a phone (E.164). Raises NotDelivered.

    A gateway says no more than that it took the message.
    """
    import apprise  # 19 MB, and 25 more with the first address: only where an SMS is sent

    gateway = apprise.Apprise()
    if not gateway.add(settings.CSMS_SMS_URL.replace("{phone}", quote(address, safe=""))):
        raise NotDelivered("CSMS_SMS_URL is not understood")
    if not gateway.notify(body=text_of(notice)):
        raise NotDelivered("the SMS gateway did not take it")


def text_of(notice: Notice) -> str:
    """The text, at most two parts of it, with its link where that fits in as well."""
    text = notice.text if len(notice.text) <= MOST else notice.text[: MOST - 1] + "…"
    both = f"{text} {notice.link}"
    return both if notice.link and len(both) <= MOST else text
