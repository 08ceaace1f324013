"""Buttons on people: with a reason, once, on the record, and refused without a crash."""

from functools import partial

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing import ledger
from billing.admin.reasoned import MAX_ROWS
from billing.models import Payment, Transfer, User
from billing.tests.back_office import open_page, press, told
from billing.tests.threads import in_parallel
from conftest import PASSWORD

USERS = reverse("admin:billing_user_changelist")


def button(user, name):
    return f"{USERS}{user.pk}/{name}/"


def balance_of(user):
    return ledger.account_of(user).balance_minor


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def clerk(db):
    """A member of staff who may view people."""
    user = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    return user


def allow(user, codename):
    user.user_permissions.add(Permission.objects.get(codename=codename))


def test_a_top_up_is_paid_in_and_says_who_and_why(olgas, olga, bob):
    answer = press(olgas, button(bob, "top_up"), amount="250.50", reason="cash at the counter")
    assert told(answer) == ["250.50 KGS paid in."]
    assert balance_of(bob) == 25_050
    payment = Payment.objects.get(user=bob)
    assert (payment.made_by, payment.reason) == (olga, "cash at the counter")
    transfer = Transfer.objects.get(credit__owner=bob)
    assert (transfer.made_by, transfer.reason) == (olga, "cash at the counter")
    entry = LogEntry.objects.get(object_id=str(bob.pk))
    assert (entry.user, entry.change_message) == (olga, "Top up: cash at the counter")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_nothing_happens_without_a_reason(olgas, bob, reason):
    answer = press(olgas, button(bob, "top_up"), amount="250", reason=reason)
    assert answer.status_code == 200
    assert answer.context["form"].errors.keys() == {"reason"}
    assert balance_of(bob) == 0
    assert not LogEntry.objects.exists()


def test_opening_the_page_does_nothing(olgas, bob):
    open_page(olgas, button(bob, "block"))
    olgas.get(button(bob, "block"), {"_submit": "1", "reason": "by a link"})
    bob.refresh_from_db()
    assert bob.is_active


def test_a_page_that_is_posted_twice_acts_once(olgas, bob):
    address = button(bob, "top_up")
    page = open_page(olgas, address)
    values = {"amount": "100", "reason": "cash", "page": page}
    press(olgas, address, **values)
    again = press(olgas, address, **values)
    assert told(again) == ["This was done already."]
    assert balance_of(bob) == 10_000


@pytest.mark.django_db(transaction=True)
def test_a_page_that_is_posted_twice_at_once_acts_once(olga, bob):
    address = button(bob, "top_up")
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.force_login(olga)
    said = {"amount": "100", "reason": "cash", "page": open_page(browsers[0], address)}
    answers = in_parallel([partial(press, browser, address, **said) for browser in browsers])
    for text in ("100.00 KGS paid in.", "This was done already."):
        assert [text in answer.text for answer in answers].count(True) == 1
    assert balance_of(bob) == 10_000


@pytest.mark.parametrize(("amount", "left"), [("50", 105_000), ("-1000.00", 0)])
def test_a_balance_is_adjusted_both_ways(olgas, olga, alice, amount, left):
    press(olgas, button(alice, "adjust"), amount=amount, reason="goodwill")
    assert balance_of(alice) == left
    transfer = Transfer.objects.get(code=Transfer.Code.ADJUSTMENT)
    assert (transfer.made_by, transfer.reason) == (olga, "goodwill")


def test_a_refusal_is_shown_on_the_page_and_may_be_mended_there(olgas, alice):
    address = button(alice, "adjust")
    page = open_page(olgas, address)
    answer = press(olgas, address, amount="-1000.01", reason="mistake", page=page)
    assert answer.status_code == 200
    assert "The available balance does not cover this." in answer.text
    assert balance_of(alice) == 100_000
    assert not LogEntry.objects.exists()
    press(olgas, address, amount="-1000.00", reason="mistake", page=page)
    assert balance_of(alice) == 0


def test_a_refusal_of_one_field_is_shown_at_that_field(olgas, alice):
    answer = press(olgas, button(alice, "adjust"), amount="0", reason="?")
    assert answer.context["form"].errors["amount"] == ["Ensure this value is not 0."]


def test_a_post_without_the_token_of_the_page_is_refused(olga, bob):
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    values = {"_submit": "1", "reason": "forged", "page": "0" * 32}
    assert client.post(button(bob, "block"), values).status_code == 403


def test_a_button_is_for_those_who_may(client, clerk, bob):
    client.force_login(clerk)
    address = button(bob, "top_up")
    values = {"_submit": "1", "amount": "1", "reason": "?", "page": "0" * 32}
    assert client.get(address).status_code == 403
    assert client.post(address, values).status_code == 403
    assert "top_up" not in client.get(f"{USERS}{bob.pk}/change/").text

    allow(clerk, "add_payment")
    assert "top_up" in client.get(f"{USERS}{bob.pk}/change/").text
    press(client, address, amount="1", reason="cash")
    assert balance_of(bob) == 100


def test_a_right_to_act_is_none_to_look(client, clerk, bob):
    clerk.user_permissions.clear()
    allow(clerk, "add_payment")
    client.force_login(clerk)
    assert client.get(button(bob, "top_up")).status_code == 403


def test_a_driver_has_no_buttons(client, alice, bob):
    client.force_login(bob)
    answer = client.post(button(bob, "top_up"), {"amount": "1000", "reason": "please"})
    assert answer.status_code == 302
    assert answer.url.startswith("/admin/login/")


def test_a_button_of_nobody_is_not_found(olgas, alice):
    address = button(alice, "block").replace(str(alice.pk), "nobody")
    assert olgas.get(address).status_code == 404


def select(client, name, users, **values):
    return client.post(USERS, {"action": name, "_selected_action": [u.pk for u in users], **values})


def test_the_list_acts_on_each_selected_row(olgas, olga, alice, bob):
    shown = select(olgas, "block", [alice, bob], index="0")
    assert shown.status_code == 200
    assert alice.username in shown.text
    assert User.objects.filter(is_active=False).count() == 0

    page = shown.context["form"]["page"].value()
    select(olgas, "block", [alice, bob], _submit="1", page=page, reason="stolen phones")
    assert set(User.objects.filter(is_active=False)) == {alice, bob}
    assert LogEntry.objects.filter(change_message="Block: stolen phones", user=olga).count() == 2


def test_the_list_does_what_it_can_and_tells_the_rest(olgas, olga, bob):
    page = select(olgas, "block", [olga, bob]).context["form"]["page"].value()
    answer = select(olgas, "block", [olga, bob], _submit="1", page=page, reason="gone")
    assert set(told(olgas.get(answer.url))) == {
        f"{bob} is blocked.",
        "olga: You cannot block yourself.",
    }
    assert set(User.objects.filter(is_active=False)) == {bob}


def test_the_list_asks_for_a_choice_of_bounded_size(olgas, olga):
    people = [User.objects.create_user(f"user{number}") for number in range(MAX_ROWS + 1)]
    answer = select(olgas, "block", people)
    assert told(olgas.get(answer.url)) == [f"Choose at most {MAX_ROWS} rows."]


def test_the_list_offers_no_action_without_the_right(client, clerk, bob):
    client.force_login(clerk)
    page = {"_submit": "1", "reason": "?", "page": "0" * 32}
    select(client, "block", [bob], **page)
    bob.refresh_from_db()
    assert bob.is_active


def test_nothing_can_be_deleted_by_selection(olgas, bob):
    select(olgas, "delete_selected", [bob], post="yes")
    assert User.objects.filter(pk=bob.pk).exists()
    assert "delete_selected" not in olgas.get(USERS).text
