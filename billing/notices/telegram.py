"""Notices by Telegram, and the chats that drivers link by a code (Bot API, `sendMessage`).

A driver opens https://t.me/<bot>?start=<code> in the app, and Telegram sends the code to our bot.
The worker asks for such messages (`getUpdates`): no address of ours has to be reachable.
"""

import datetime as dt
import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ..errors import NotFound
from ..models import Notice, NoticeChannel, NoticePreference, User
from ..receipts.languages import Code
from .choices import enabled
from .errors import NotDelivered, NoticeError, Undeliverable
from .words import WORDS, language_of

logger = logging.getLogger(__name__)

CODE_LIFE = dt.timedelta(minutes=15)
TIMEOUT_S = 10
MOST_BATCHES = 20
BLOCKED = 403
NO_CHAT = "chat not found"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where a driver links their chat, once."""

    url: str
    expires_at: dt.datetime


def send(address: str, notice: Notice) -> None:
    """Send a notice to a chat; one that is gone is unlinked. Raises NotDelivered, Undeliverable."""
    text = f"{notice.text}\n{notice.link}" if notice.link else notice.text
    try:
        _say(int(address), text)
    except Undeliverable:
        NoticePreference.objects.filter(telegram_chat=int(address)).update(telegram_chat=None)
        raise


@transaction.atomic
def invite(user: User) -> Invitation:
    """Make a code that links the chat that sends it; an earlier one is good no more.

    Raises NotFound where this installation has no bot.
    """
    if NoticeChannel.TELEGRAM not in enabled() or not settings.CSMS_TELEGRAM_BOT:
        raise NotFound("There is no Telegram bot here.")
    code, until = secrets.token_urlsafe(24), timezone.now() + CODE_LIFE
    NoticePreference.objects.update_or_create(
        user=user, defaults={"telegram_code_digest": _digest(code), "telegram_code_until": until}
    )
    return Invitation(f"https://t.me/{settings.CSMS_TELEGRAM_BOT}?start={code}", until)


def unlink(user: User) -> None:
    """Forget the chat of a person, and any code that waits."""
    NoticePreference.objects.filter(user=user).update(
        telegram_chat=None, telegram_code_digest=None, telegram_code_until=None
    )


def read_awaited(now: dt.datetime) -> int:
    """Read what was written to the bot while a code waits to be sent; return how many."""
    waiting = NoticePreference.objects.filter(telegram_code_until__gt=now)
    return read_messages(now) if waiting.exists() else 0


def read_messages(now: dt.datetime) -> int:
    """Read all that was written to the bot; return how much it was.

    Telegram forgets a message once the next is asked for. Whoever dies before that reads it
    again, and finds its code used.
    """
    if NoticeChannel.TELEGRAM not in enabled():
        return 0
    count, after = 0, 0
    for _ in range(MOST_BATCHES):
        try:
            updates = _call("getUpdates", offset=after, timeout=0, allowed_updates=["message"])
        except NoticeError as error:
            logger.warning("telegram: %s", error)
            return count
        if not updates:
            return count
        for update in updates:
            _hear(update.get("message") or {})
        after = max(update["update_id"] for update in updates) + 1
        count += len(updates)
    return count


def _hear(message: dict[str, Any]) -> None:
    """Act on one message; in a group others would read along, so it is not heard there."""
    chat, text = message.get("chat") or {}, str(message.get("text") or "")
    chat_id = chat.get("id")
    if chat.get("type") != "private" or not isinstance(chat_id, int):
        return
    command, _, argument = text.partition(" ")
    if command == "/start":
        user = _link(chat_id, argument.strip())
        code = language_of(user) if user else _language_of(message)
        _answer(chat_id, WORDS[code].linked if user else WORDS[code].unknown_code)
    elif command == "/stop":
        NoticePreference.objects.filter(telegram_chat=chat_id).update(telegram_chat=None)
        _answer(chat_id, WORDS[_language_of(message)].unlinked)


@transaction.atomic
def _link(chat_id: int, code: str) -> User | None:
    """Link a chat to the person who was given this code; None where nobody was, or it is old."""
    rows = NoticePreference.objects.select_for_update(of=("self",)).select_related("user")
    row = rows.filter(
        telegram_code_digest=_digest(code), telegram_code_until__gt=timezone.now()
    ).first()
    if row is None or not code:
        return None
    row.telegram_chat = chat_id
    row.telegram_code_digest = row.telegram_code_until = None
    row.save(update_fields=["telegram_chat", "telegram_code_digest", "telegram_code_until"])
    return row.user


def _answer(chat_id: int, text: str) -> None:
    """Answer in the chat; whoever does not get it sees in the app what holds."""
    try:
        _say(chat_id, text)
    except NoticeError as error:
        logger.warning("telegram: %s", error)


def _language_of(message: dict[str, Any]) -> Code:
    told = str((message.get("from") or {}).get("language_code") or "")[:2]
    return next((code for code in WORDS if code == told), "ru")


def _say(chat_id: int, text: str) -> None:
    _call("sendMessage", chat_id=chat_id, text=text, link_preview_options={"is_disabled": True})


def _call(method: str, **values: Any) -> Any:
    """Call the Bot API. Raises NotDelivered, and Undeliverable for a chat that is gone.

    The address holds the bot's token, so no error of the network is told as it is.
    """
    base = settings.CSMS_TELEGRAM_URL.rstrip("/")
    address = f"{base}/bot{settings.CSMS_TELEGRAM_TOKEN}/{method}"
    try:
        answer = httpx.post(address, json=values, timeout=TIMEOUT_S)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotDelivered(f"no answer of Telegram: {type(error).__name__}") from None
    if not isinstance(body, dict):
        raise NotDelivered("no answer of Telegram")
    if body.get("ok"):
        return body.get("result")
    is_gone = body.get("error_code") == BLOCKED or NO_CHAT in str(body.get("description"))
    if is_gone and method == "sendMessage":
        raise Undeliverable("the chat is gone, or has blocked the bot")
    raise NotDelivered(f"Telegram answered {body.get('error_code')}")


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
