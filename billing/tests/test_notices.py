"""Notices: to the channel that was chosen, once a cause, bounded, and without anyone's address."""

import datetime as dt
import logging
import re
from dataclasses import asdict

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import Notice, NoticeKind, OutboxMessage, Payment, User
from billing.notices import delivery, sms
from billing.notices.delivery import MOST, masked
from billing.notices.telling import tell
from billing.notices.words import WORDS, language_of, money
from billing.outbox import MAX_ATTEMPTS
from billing.payments.returns import request_refund, send_refund
from billing.payments.topups import confirm, request_top_up
from billing.receipts.languages import LANGUAGES
from billing.tests.threads import in_parallel
from billing.tests.told import notices, wants, work
from conftest import top_up

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_channels")]
HOUR = dt.timedelta(hours=1)
A = "alice@example.org"


def say(user, cause="c1", text="Hello.", **more):
    kinds = more.pop("kinds", [NoticeKind.MONEY])
    return tell(user=user, kinds=kinds, cause=cause, write=lambda code: text, **more)


# --- Words ----------------------------------------------------------------------------------------


def test_every_language_of_documents_has_words():
    assert set(WORDS) == set(LANGUAGES)


def texts_of(code):
    words = asdict(WORDS[code])
    return words.pop("subjects") | words


def test_no_word_is_missing_and_placeholders_are_the_same_in_all_languages():
    english = texts_of("en")
    for code in WORDS:
        assert texts_of(code).keys() == english.keys()
        for name, text in texts_of(code).items():
            assert text, (code, name)
            holes = sorted(re.findall(r"{\w+}", text))
            assert holes == sorted(re.findall(r"{\w+}", english[name])), (code, name)


def test_every_kind_has_a_subject():
    for words in WORDS.values():
        assert set(words.subjects) == set(NoticeKind.values)


@pytest.mark.parametrize(
    ("amount", "code", "text"),
    [
        (50_000, "ru", "500 сом"),
        (49_505, "ru", "495,05 сом"),
        (123_456_700, "ky", "1 234 567 сом"),
        (49_510, "en", "495.10 som"),
        (0, "en", "0 som"),
    ],
)
def test_money_is_short_and_says_som(amount, code, text):
    assert money(amount, code) == text


def test_a_person_is_told_in_their_language_else_in_that_of_the_installation(alice, settings):
    assert language_of(alice) == "ru"
    settings.CSMS_NOTICE_LANGUAGE = "ky"
    assert language_of(alice) == "ky"
    alice.language = "en"
    assert language_of(alice) == "en"


# --- Money arrived --------------------------------------------------------------------------------


def test_a_top_up_is_told_by_mail_to_who_registered_by_mail(alice, mailbox):
    top_up(alice, 12_300, key="second")
    assert work() == 1
    (mail,) = mailbox.mails
    assert (mail["To"], mail["From"]) == (A, "kubat@example.org")
    assert mail["Subject"] == "Ваш счёт"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().startswith("На ваш счёт поступило 123 сом.")
    assert notices() == [("money", "email", "sent")]


def test_a_top_up_is_told_by_sms_to_who_registered_by_phone(bob, gateway, mailbox):
    top_up(bob, 12_300)
    work()
    assert gateway.got == [("+996700000002", "На ваш счёт поступило 123 сом.")]
    assert mailbox.mails == []


def test_a_top_up_by_staff_is_told(bob, olga, gateway):
    request_top_up(user=bob, amount=5_000, provider="manual", made_by=olga, reason="cash")
    work()
    assert [text for _, text in gateway.got] == ["На ваш счёт поступило 50 сом."]


def test_a_payment_that_is_confirmed_again_is_told_once(bob, gateway):
    for _ in range(3):
        top_up(bob, 5_000)
    work()
    work(at=timezone.now() + HOUR)
    assert len(gateway.got) == 1


def test_a_payment_that_is_not_paid_is_not_told(bob, settings, gateway):
    settings.CSMS_SANDBOX_PAYMENTS = True
    request_top_up(user=bob, amount=5_000, provider="sandbox", made_by=bob)
    assert notices() == []


def test_a_refund_is_told_when_it_is_done_and_once(alice, olga, mailbox):
    payment = Payment.objects.get(user=alice)
    request_refund(payment_id=payment.pk, amount=20_000, reason="asked", made_by=olga)
    assert notices() == []
    work()
    message = OutboxMessage.objects.get(topic="payment.refund")
    send_refund(message)
    work()
    (text,) = mailbox.texts
    assert text.startswith("Возврат 200 сом отправлен.")


def test_what_is_rolled_back_is_not_told(alice, mailbox):
    with transaction.atomic():
        say(alice)
        transaction.set_rollback(True)
    assert work() == 0
    assert mailbox.mails == []


# --- Choices --------------------------------------------------------------------------------------


def test_what_is_switched_off_is_not_told(alice, mailbox):
    wants(alice, money=[])
    assert say(alice) == 0
    work()
    assert mailbox.mails == []


def test_kinds_beside_charge_and_money_are_off_until_they_are_chosen(alice, mailbox):
    others = [NoticeKind.NEARLY_USED, NoticeKind.STATION_LOST, NoticeKind.START_FAILED]
    assert [say(alice, kinds=[kind], cause=kind) for kind in others] == [0, 0, 0]
    wants(alice, station_lost=["email"])
    assert say(alice, kinds=[NoticeKind.STATION_LOST]) == 1


def test_each_chosen_channel_gets_one(alice, mailbox, gateway, bot):
    User.objects.filter(pk=alice.pk).update(phone="+996555000001")
    alice.refresh_from_db()
    wants(alice, money=["email", "sms", "telegram"])
    assert say(alice) == 2  # no chat is linked
    work()
    assert (mailbox.recipients, len(gateway.got), bot.said) == ([A], 1, [])


def test_an_installation_without_channels_writes_nothing_and_asks_nothing(
    alice, django_assert_num_queries
):
    with django_assert_num_queries(0):
        assert say(alice) == 0


def test_two_kinds_of_one_event_are_one_message(alice, mailbox):
    both = [NoticeKind.LIMIT_REACHED, NoticeKind.CHARGING_ENDED]
    wants(alice, limit_reached=[])
    assert say(alice, kinds=both) == 1
    wants(alice, charging_ended=[])
    assert say(alice, kinds=both, cause="c2") == 0


def test_someone_without_any_address_is_not_told(olga, mailbox, gateway):
    User.objects.filter(pk=olga.pk).update(email=None)
    olga.refresh_from_db()
    assert say(olga) == 0


# --- Once -----------------------------------------------------------------------------------------


def test_the_same_cause_is_told_once(alice, mailbox):
    for _ in range(3):
        say(alice)
    say(alice, cause="another")
    work()
    assert len(mailbox.mails) == 2


@pytest.mark.on_postgres
@pytest.mark.django_db(transaction=True)
def test_the_same_cause_at_the_same_moment_is_told_once(alice, mailbox):
    in_parallel([lambda: say(alice)] * 4)
    assert Notice.objects.count() == OutboxMessage.objects.filter(topic="notice").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_it_once(alice, mailbox):
    for number in range(6):
        say(alice, cause=f"c{number}")
    assert sum(in_parallel([work, work])) == 6
    assert len(mailbox.mails) == 6
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 6


def test_a_message_of_the_outbox_that_comes_again_sends_nothing(alice, mailbox):
    say(alice)
    message = OutboxMessage.objects.get()
    delivery.deliver(message)
    delivery.deliver(message)
    assert len(mailbox.mails) == 1


def test_a_repeat_after_a_crash_has_the_same_message_id(alice, mailbox):
    """The mail server took it, and the worker died before it could write that down."""
    say(alice)
    message = OutboxMessage.objects.get()
    delivery.deliver(message)
    Notice.objects.update(status="queued")
    delivery.deliver(message)
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1


# --- Delivery -------------------------------------------------------------------------------------


def test_a_gateway_that_is_down_gets_it_later(bob, gateway):
    gateway.is_down = True
    say(bob)
    work()
    assert (notices(), gateway.got) == ([("money", "sms", "queued")], [])
    gateway.is_down = False
    delivery.DOWN.clear("sms")
    work(at=timezone.now() + HOUR)
    assert (notices(), len(gateway.got)) == ([("money", "sms", "sent")], 1)


def test_a_channel_that_is_down_is_asked_once_for_a_while(alice, mailbox, settings):
    settings.EMAIL_PORT = 1  # nobody is there
    for number in range(5):
        say(alice, cause=f"c{number}")
    work()
    errors = list(OutboxMessage.objects.order_by("created_at").values_list("last_error", flat=True))
    assert sum("ConnectionRefusedError" in error for error in errors) == 1
    assert sum("a moment ago" in error for error in errors) == 4


def test_a_channel_that_is_down_holds_no_other_up(alice, bob, mailbox, gateway, settings):
    settings.EMAIL_PORT = 1
    say(alice)
    say(bob, cause="c2")
    work()
    assert len(gateway.got) == 1


def test_after_the_last_attempt_it_is_not_delivered(bob, gateway):
    gateway.is_down = True
    say(bob)
    OutboxMessage.objects.update(attempts=MAX_ATTEMPTS - 1)
    work()
    assert notices() == [("money", "sms", "failed")]
    assert Notice.objects.get().reason == "the SMS gateway did not take it"


def test_an_address_that_the_mail_server_refuses_is_not_tried_again(alice, mailbox):
    mailbox.refuses[A] = 550
    say(alice)
    work()
    work(at=timezone.now() + HOUR)
    assert notices() == [("money", "email", "failed")]
    assert "550" in Notice.objects.get().reason


def test_an_address_that_is_put_off_is_tried_again(alice, mailbox):
    mailbox.refuses[A] = 451
    say(alice)
    work()
    assert notices() == [("money", "email", "queued")]
    mailbox.refuses.clear()
    delivery.DOWN.clear("email")
    work(at=timezone.now() + HOUR)
    assert notices() == [("money", "email", "sent")]


def test_what_is_too_late_is_dropped_and_says_so(alice, mailbox):
    say(alice, stale_after=HOUR)
    Notice.objects.update(stale_at=timezone.now() - dt.timedelta(seconds=1))
    work()
    assert notices() == [("money", "email", "dropped")]
    assert (Notice.objects.get().reason, mailbox.mails) == ("too late", [])


def test_what_is_not_yet_too_late_is_sent(alice, mailbox):
    say(alice, stale_after=HOUR)
    work()
    assert notices() == [("money", "email", "sent")]


def test_a_channel_that_was_switched_off_meanwhile_drops_it(alice, mailbox, settings):
    say(alice)
    settings.EMAIL_URL = ""
    work()
    assert Notice.objects.get().reason == "this channel is switched off"


def test_an_address_that_was_taken_away_meanwhile_drops_it(alice, mailbox):
    say(alice)
    User.objects.filter(pk=alice.pk).update(email=None)
    work()
    assert Notice.objects.get().reason == "no address"


# --- Nobody is flooded ----------------------------------------------------------------------------


def test_an_address_gets_so_many_an_hour_and_no_more(bob, gateway):
    most = MOST["sms"][0][1]
    for number in range(most + 3):
        say(bob, cause=f"c{number}")
    work()
    assert len(gateway.got) == most
    dropped = Notice.objects.filter(status="dropped")
    assert {row.reason for row in dropped} == {"too many to this address"}
    assert dropped.count() == 3


def test_after_an_hour_it_gets_more_but_not_more_than_a_day_allows(bob, gateway):
    per_hour, per_day = (most for _, most in MOST["sms"])
    for hour in range(5):
        for number in range(per_hour):
            say(bob, cause=f"c{hour}.{number}")
        work()
        for row in Notice.objects.filter(status="sent"):
            Notice.objects.filter(pk=row.pk).update(ended_at=row.ended_at - 2 * HOUR)
    assert len(gateway.got) == per_day


def test_one_persons_messages_leave_anothers_alone(alice, bob, mailbox, gateway):
    for number in range(10):
        say(bob, cause=f"c{number}")
    say(alice)
    work()
    assert len(mailbox.mails) == 1


# --- Privacy --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        ("email", A, "a…@example.org"),
        ("sms", "+996700000002", "+996…02"),
        ("telegram", "123456789", "…789"),
    ],
)
def test_staff_see_enough_of_an_address_to_recognise_it(channel, address, shown):
    assert masked(channel, address) == shown


@pytest.mark.parametrize("fault", ["refused", "put off", "nobody"])
def test_no_log_or_error_holds_an_address(alice, mailbox, settings, caplog, fault):
    caplog.set_level(logging.DEBUG)
    mailbox.refuses[A] = {"refused": 550, "put off": 451}.get(fault, 250)
    if fault == "nobody":
        settings.EMAIL_PORT = 1
    say(alice)
    work()
    rows = [*OutboxMessage.objects.values_list("last_error", "payload", "key")]
    assert A not in caplog.text
    assert A not in str(rows)
    assert "alice" not in Notice.objects.get().address


@pytest.mark.parametrize("is_down", [False, True])
def test_no_log_or_error_holds_a_phone(bob, gateway, caplog, is_down):
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.CRITICAL, logger="apprise")  # as settings.LOGGING says
    gateway.is_down = is_down
    say(bob)
    work()
    rows = [*OutboxMessage.objects.values_list("last_error", "payload", "key")]
    for text in (caplog.text, str(rows)):
        assert "700000002" not in text


def test_a_mail_names_neither_the_person_nor_their_balance(alice, mailbox, settings):
    settings.CSMS_SELLER_CONTACT = "help@example.org"
    top_up(alice, 12_300, key="second")
    work()
    (text,) = mailbox.texts
    assert "Alice" not in text
    assert "1123" not in text.replace(" ", "")
    assert "help@example.org" in text


# --- SMS ------------------------------------------------------------------------------------------


def test_a_link_goes_along_where_two_parts_hold_it():
    short = Notice(text="x" * 60, link="https://kubat.example.org/r/" + "y" * 35)
    assert sms.text_of(short).endswith("y")
    long = Notice(text="x" * 100, link=short.link)
    assert sms.text_of(long) == "x" * 100


def test_a_text_is_never_longer_than_two_parts():
    assert len(sms.text_of(Notice(text="я" * 500))) == sms.MOST == 134


def test_a_gateway_that_is_not_understood_is_not_delivered(bob, settings):
    settings.CSMS_SMS_URL = "nonsense-{phone}"
    say(bob)
    work()
    assert "not understood" in OutboxMessage.objects.get().last_error


def test_confirm_costs_a_fixed_number_of_queries(alice, mailbox, gateway, bot):
    """A notice costs a look at the choice and two inserts, whatever the number of channels."""
    wants(alice, money=["email", "sms", "telegram"])
    payment = Payment.objects.create(
        user=alice, provider="manual", amount_minor=100, currency="KGS"
    )
    with CaptureQueriesContext(connection) as queries:
        confirm(payment.pk)
    ours = [row["sql"] for row in queries if "notice" in row["sql"] or "outbox" in row["sql"]]
    assert len(ours) == 3, ours
