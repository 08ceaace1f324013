"""Telegram: a chat is linked by a code that only its driver was given, by the real protocol."""

import datetime as dt
import logging
import re

import pytest
from django.utils import timezone

from billing.models import NoticeKind, NoticePreference, OutboxMessage
from billing.notices import telegram
from billing.notices.telling import tell
from billing.tests.told import notices, wants, work
from billing.tests.web import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_channels")]
PATH = "/auth/me/telegram"
CHAT = 555_000_111


def invite(user):
    answer = signed_in(user).post(PATH)
    assert answer.status_code == 201, answer.json()
    return answer.json()["url"]


def code_in(url):
    return re.fullmatch(r"https://t\.me/kubat_bot\?start=([A-Za-z0-9_-]{1,64})", url)[1]


def link(user, bot, chat=CHAT):
    bot.write(chat, f"/start {code_in(invite(user))}")
    telegram.read_awaited(timezone.now())


def chat_of(user):
    row = NoticePreference.objects.filter(user=user).first()
    return row.telegram_chat if row else None


def say(user, cause="c1"):
    return tell(user=user, kinds=[NoticeKind.MONEY], cause=cause, write=lambda code: "Hello.")


def test_a_driver_links_their_chat_and_is_told_there(alice, bot):
    link(alice, bot)
    assert chat_of(alice) == CHAT
    wants(alice, money=["telegram"])
    say(alice)
    work()
    (linked, told) = bot.said
    assert linked[0] == CHAT
    assert told == (CHAT, "Hello.")
    assert notices() == [("money", "telegram", "sent")]


def test_the_bot_answers_in_the_drivers_language(alice, bot):
    alice.language = "ky"
    alice.save()
    link(alice, bot)
    assert bot.said[0][1].startswith("Даяр")


@pytest.mark.parametrize(
    "text", ["/start wrong", "/start", "/start ", "hello", "", "/start " + "x" * 5000]
)
def test_no_other_message_links_a_chat(alice, bot, text):
    invite(alice)
    bot.write(CHAT, text)
    telegram.read_awaited(timezone.now())
    assert chat_of(alice) is None


def test_a_code_is_good_once(alice, bob, bot):
    code = code_in(invite(alice))
    for chat in (CHAT, CHAT + 1):
        bot.write(chat, f"/start {code}")
    telegram.read_awaited(timezone.now())
    assert chat_of(alice) == CHAT
    assert chat_of(bob) is None


def test_a_code_is_good_for_a_quarter_of_an_hour(alice, bot):
    code = code_in(invite(alice))
    late = timezone.now() - dt.timedelta(seconds=1)
    NoticePreference.objects.update(telegram_code_until=late)
    bot.write(CHAT, f"/start {code}")
    telegram.read_messages(timezone.now())
    assert chat_of(alice) is None
    assert "эскирген" in bot.said[0][1]


def test_a_new_code_ends_the_one_before(alice, bot):
    old, new = code_in(invite(alice)), code_in(invite(alice))
    bot.write(CHAT, f"/start {old}")
    telegram.read_awaited(timezone.now())
    assert chat_of(alice) is None
    bot.write(CHAT, f"/start {new}")
    telegram.read_awaited(timezone.now())
    assert chat_of(alice) == CHAT


def test_the_code_is_not_in_the_database(alice, bot):
    code = code_in(invite(alice))
    assert code not in str(NoticePreference.objects.values_list())


def test_a_group_is_not_linked(alice, bot):
    bot.write(-100, f"/start {code_in(invite(alice))}", kind="group")
    telegram.read_awaited(timezone.now())
    assert chat_of(alice) is None


def test_what_was_read_before_a_crash_is_read_again_without_effect(alice, bob, bot):
    code = code_in(invite(alice))
    bot.write(CHAT, f"/start {code}")
    kept = list(bot.updates)
    telegram.read_awaited(timezone.now())
    bot.updates = kept
    telegram.unlink(alice)
    telegram.read_messages(timezone.now())
    assert chat_of(alice) is None


def test_nothing_is_asked_while_no_code_waits(alice, bot):
    telegram.read_awaited(timezone.now())
    assert bot.calls == []
    invite(alice)
    telegram.read_awaited(timezone.now())
    assert bot.calls == ["getUpdates"]


def test_stop_ends_it_and_the_app_too(alice, bot):
    link(alice, bot)
    bot.write(CHAT, "/stop")
    telegram.read_messages(timezone.now())
    assert chat_of(alice) is None
    link(alice, bot)
    assert signed_in(alice).delete(PATH).status_code == 204
    assert chat_of(alice) is None


def test_a_chat_that_blocked_the_bot_is_forgotten(alice, bot):
    link(alice, bot)
    wants(alice, money=["telegram"])
    bot.gone.add(CHAT)
    say(alice)
    work()
    assert notices() == [("money", "telegram", "failed")]
    assert chat_of(alice) is None
    assert say(alice, cause="c2") == 0


def test_a_telegram_that_does_not_answer_gets_it_later(alice, bot):
    link(alice, bot)
    wants(alice, money=["telegram"])
    bot.is_down = True
    say(alice)
    work()
    assert notices() == [("money", "telegram", "queued")]
    assert telegram.read_messages(timezone.now()) == 0


def test_nothing_that_is_written_down_holds_the_bots_token(alice, bot, settings, caplog):
    caplog.set_level(logging.INFO)
    for name, logger in settings.LOGGING["loggers"].items():
        caplog.set_level(logger["level"], logger=name)
    link(alice, bot)
    wants(alice, money=["telegram"])
    settings.CSMS_TELEGRAM_URL = "http://127.0.0.1:1"
    say(alice)
    work()
    telegram.read_messages(timezone.now())
    assert "ConnectError" in caplog.text
    kept = str(list(OutboxMessage.objects.values_list()))
    assert bot.token not in caplog.text + kept
    assert str(CHAT) not in caplog.text + kept


def test_without_a_bot_there_is_no_invitation(alice):
    answer = signed_in(alice).post(PATH)
    assert answer.status_code == 404


def test_a_wrong_token_is_told_in_the_log_and_nothing_else(alice, bot, settings, caplog):
    invite(alice)
    settings.CSMS_TELEGRAM_TOKEN = "wrong"
    assert telegram.read_awaited(timezone.now()) == 0
    assert "Telegram answered 401" in caplog.text
