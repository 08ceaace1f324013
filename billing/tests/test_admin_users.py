"""People in the back office: who gets in, what they may be made, what they have."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.urls import reverse
from knox.models import AuthToken

from billing.models import Notice, NoticePreference, User
from billing.tests.back_office import press, values_of
from conftest import PASSWORD

LOG_IN = reverse("admin:login")
USERS = reverse("admin:billing_user_changelist")
NEW_PASSWORD = "another long passphrase"


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def manager(db):
    """A member of staff who manages drivers and is no superuser."""
    user = User.objects.create_user("manager", password=PASSWORD, is_staff=True)
    rights = ("view_user", "add_user", "change_user", "add_group")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def change_page(user):
    return f"{USERS}{user.pk}/change/"


@pytest.mark.parametrize("name", ["olga", "OLGA@example.org", "+996 555 000 001", "0555000001"])
def test_staff_log_in_by_any_identifier(client, olga, name):
    User.objects.filter(pk=olga.pk).update(phone="+996555000001")
    answer = client.post(LOG_IN, {"username": name, "password": PASSWORD, "next": "/admin/"})
    assert answer.status_code == 302
    assert client.get("/admin/").status_code == 200


def test_the_log_in_says_what_it_takes(client, db):
    assert "Username, e-mail or phone" in client.get(LOG_IN).text


def test_a_driver_does_not_get_in(client, alice):
    client.post(LOG_IN, {"username": alice.username, "password": PASSWORD})
    assert client.get("/admin/").status_code == 302


def test_five_wrong_passwords_close_the_log_in(client, olga):
    for _ in range(5):
        client.post(LOG_IN, {"username": "olga", "password": "wrong"})
    client.post(LOG_IN, {"username": "olga", "password": PASSWORD})
    assert client.get("/admin/").status_code == 302
    cache.clear()
    client.post(LOG_IN, {"username": "olga", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200


def test_a_blocked_person_is_logged_out_everywhere(olgas, alice, anyone):
    _, token = AuthToken.objects.create(alice)
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert anyone.get("/auth/me").status_code == 200

    press(olgas, f"{USERS}{alice.pk}/block/", reason="stolen phone")
    assert anyone.get("/auth/me").status_code == 401
    log_in = {"username": alice.username, "password": PASSWORD}
    anyone.credentials()
    assert anyone.post("/auth/login", log_in).status_code == 401

    press(olgas, f"{USERS}{alice.pk}/unblock/", reason="found it")
    assert anyone.post("/auth/login", log_in).status_code == 200


def test_nobody_blocks_staff_but_a_superuser(client, manager, olga):
    client.force_login(manager)
    press(client, f"{USERS}{olga.pk}/block/", reason="coup")
    olga.refresh_from_db()
    assert olga.is_active


def test_the_list_and_the_page_show_money_as_money(olgas, alice):
    for address in (USERS, change_page(alice)):
        assert "1000.00 KGS" in olgas.get(address).text


def test_a_person_is_added_and_can_log_in(olgas, anyone):
    answer = olgas.post(
        f"{USERS}add/",
        {
            "username": "carol@example.org",
            "email": "Carol@Example.org",
            "phone": "0700 12 34 56",
            "name": "Carol",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
            "reason": "came to the counter",
        },
    )
    carol = User.objects.get(username="carol@example.org")
    assert answer.url == change_page(carol)
    assert (carol.email, carol.phone) == ("carol@example.org", "+996700123456")
    entry = LogEntry.objects.get(object_id=str(carol.pk))
    assert entry.get_change_message() == "came to the counter"
    answer = anyone.post("/auth/login", {"username": "0700123456", "password": NEW_PASSWORD})
    assert answer.status_code == 200


def test_a_person_without_e_mail_or_phone_can_be_changed(olgas, alice):
    dora, _ = (User.objects.create_user(name) for name in ("dora", "emil"))
    values = values_of(olgas, change_page(dora)) | {"name": "Dora", "email": "", "phone": ""}
    answer = olgas.post(change_page(dora), values | {"reason": "asked by phone"})
    assert answer.status_code == 302
    dora.refresh_from_db()
    assert (dora.name, dora.email, dora.phone) == ("Dora", None, None)
    entry = LogEntry.objects.get(object_id=str(dora.pk))
    assert entry.change_message == "name · asked by phone"


def test_a_person_is_not_changed_without_a_reason(olgas, alice):
    answer = olgas.post(change_page(alice), values_of(olgas, change_page(alice)) | {"name": "Eve"})
    assert answer.context["adminform"].form.errors.keys() == {"reason"}
    alice.refresh_from_db()
    assert alice.name == "Alice"


def test_a_wrong_phone_is_refused(olgas, alice):
    values = values_of(olgas, change_page(alice)) | {"phone": "call me", "reason": "?"}
    answer = olgas.post(change_page(alice), values)
    assert answer.context["adminform"].form.errors == {"phone": ["This is no phone number."]}


@pytest.mark.parametrize(("said", "stored"), [("150.50", 15_050), ("0", 0), ("", None)])
def test_the_cap_of_a_card_is_written_as_money(olgas, alice, said, stored):
    values = values_of(olgas, change_page(alice)) | {"rfid_cap": said, "reason": "asked"}
    assert olgas.post(change_page(alice), values).status_code == 302
    alice.refresh_from_db()
    assert alice.rfid_cap_minor == stored
    shown = values_of(olgas, change_page(alice)).get("rfid_cap")
    assert shown == (None if stored is None else pytest.approx(stored / 100))


def test_a_new_password_is_given_with_a_reason(olgas, olga, alice, anyone):
    address = f"{USERS}{alice.pk}/password/"
    AuthToken.objects.create(alice)
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert olgas.get(address).status_code == 200
    assert "reason" in olgas.post(address, passwords).context["form"].errors

    assert AuthToken.objects.exists()
    assert olgas.post(address, passwords | {"reason": "forgot it"}).status_code == 302
    assert not AuthToken.objects.exists()
    log_in = {"username": alice.username, "password": NEW_PASSWORD}
    assert anyone.post("/auth/login", log_in).status_code == 200
    entry = LogEntry.objects.get(object_id=str(alice.pk))
    assert entry.user == olga
    assert entry.change_message.endswith("forgot it")


def test_one_changes_ones_own_password(olgas, olga):
    address = reverse("admin:password_change")
    assert olgas.get(address).status_code == 200
    values = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert olgas.post(address, {"old_password": PASSWORD, **values}).status_code == 302
    olga.refresh_from_db()
    assert olga.check_password(NEW_PASSWORD)


def test_a_manager_of_drivers_gives_no_rights(client, manager, alice):
    client.force_login(manager)
    values = values_of(client, change_page(alice)) | {"name": "Alice A.", "reason": "typo"}
    rights = {"is_staff": "on", "is_superuser": "on", "user_permissions": ["1"]}
    assert client.post(change_page(alice), values | rights).status_code == 302
    alice.refresh_from_db()
    assert alice.name == "Alice A."
    assert not alice.is_staff
    assert not alice.is_superuser
    assert not alice.user_permissions.exists()


def test_a_manager_of_drivers_changes_no_staff(client, manager, olga):
    client.force_login(manager)
    assert client.get(change_page(olga)).status_code == 200
    assert client.post(change_page(olga), {"username": "o", "reason": "?"}).status_code == 403
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "reason": "?"}
    assert client.post(f"{USERS}{olga.pk}/password/", passwords).status_code == 403
    olga.refresh_from_db()
    assert olga.check_password(PASSWORD)


def test_a_superuser_gives_rights(olgas, alice):
    group = Group.objects.create(name="operators")
    values = values_of(olgas, change_page(alice)) | {"is_staff": "on", "groups": [group.pk]}
    assert olgas.post(change_page(alice), values | {"reason": "hired"}).status_code == 302
    alice.refresh_from_db()
    assert alice.is_staff
    assert list(alice.groups.all()) == [group]


def test_a_log_in_is_ended(olgas, alice):
    token, _ = AuthToken.objects.create(alice)
    address = reverse("admin:knox_authtoken_changelist")
    answer = press(olgas, f"{address}{token.pk}/end/", reason="lost phone")
    assert answer.redirect_chain[-1][0] == address
    assert not AuthToken.objects.exists()


def test_a_group_is_made_and_removed(olgas):
    address = reverse("admin:auth_group_changelist")
    olgas.post(f"{address}add/", {"name": "operators", "reason": "new team"})
    group = Group.objects.get(name="operators")
    press(olgas, f"{address}{group.pk}/remove/", reason="team is gone")
    assert not Group.objects.exists()
    entries = LogEntry.objects.filter(object_id=str(group.pk)).order_by("pk")
    assert [entry.change_message for entry in entries] == ["new team", "Remove: team is gone"]


# --- What they were told --------------------------------------------------------------------------


def told(user, **values):
    row = {"kind": "money", "channel": "email", "address": "a…@example.org", "language": "en"}
    return Notice.objects.create(user=user, **{"text": "500 som arrived."} | row | values)


def test_the_page_of_a_person_shows_what_they_were_told_and_how_it_went(olgas, alice, bob):
    told(alice, status="sent")
    told(alice, status="dropped", reason="too late")
    told(bob, text="Another's.")
    page = olgas.get(change_page(alice)).text
    for shown in ("500 som arrived.", "a…@example.org", "too late", "dropped"):
        assert shown in page
    assert "Another's." not in page


def test_whoever_may_not_see_notices_does_not_see_them_there(client, manager, alice):
    told(alice, status="sent")
    client.force_login(manager)
    page = client.get(change_page(alice))
    assert page.status_code == 200
    assert "500 som arrived." not in page.text


def test_the_list_finds_a_persons_notices_and_changes_none(olgas, alice):
    row = told(alice, status="sent")
    notices = reverse("admin:billing_notice_changelist")
    assert "a…@example.org" in olgas.get(notices, {"q": alice.username}).text
    assert "a…@example.org" not in olgas.get(notices, {"q": "nobody"}).text
    assert olgas.post(f"{notices}{row.pk}/change/", {"text": "x"}).status_code == 403
    assert olgas.post(f"{notices}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_how_a_person_is_told_is_shown_without_their_chat(olgas, alice):
    NoticePreference.objects.create(user=alice, choices={"money": []}, telegram_chat=555000111)
    page = olgas.get(reverse("admin:billing_noticepreference_change", args=[alice.pk])).text
    assert "money" in page
    assert "555000111" not in page
