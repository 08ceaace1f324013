"""What waits for review: shown on one page, resolved by buttons with a reason."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing import ledger
from billing.models import Account, User
from billing.tests.back_office import errors_of, open_page, press, told
from conftest import PASSWORD
from sessions_app.models import ChargingSession, Orphan
from stations.models import Alert

SESSIONS = reverse("admin:sessions_app_chargingsession_changelist")
ORPHANS = reverse("admin:sessions_app_orphan_changelist")
WAITING = reverse("admin:sessions_app_waiting")
RESOLVING = ("settle_on_meter", "settle_with", "release")


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def doubted(stage, alice):
    """30 kWh in an hour at 10 kW: a bill of 375.00, of which 138.75 could be true."""
    stage.station.max_power_kw = Decimal(10)
    stage.station.save()
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 30_000, seconds=3_600)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    return session


def button(session, name):
    return f"{SESSIONS}{session.pk}/{name}/"


def change_page(client, session):
    return client.get(f"{SESSIONS}{session.pk}/change/").text


def open_alerts():
    return set(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def test_the_page_shows_both_kinds_that_wait(olgas, stage, doubted):
    stage.end(4711)
    page = olgas.get(WAITING).text
    for text in (f"{SESSIONS}{doubted.pk}/change/", "implausible_energy", "375.00 KGS", "138.75"):
        assert text in page
    assert f"{ORPHANS}{Orphan.objects.get().pk}/change/" in page
    assert "unknown transaction 4711" in page
    assert WAITING in olgas.get("/admin/").text


def test_the_page_is_empty_when_all_is_resolved(olgas, stage, doubted):
    stage.end(4711)
    press(olgas, button(doubted, "release"), reason="seen")
    press(olgas, f"{ORPHANS}{Orphan.objects.get().pk}/dismiss/", reason="seen")
    page = olgas.get(WAITING).text
    assert page.count("Nothing waits.") == 2
    assert open_alerts() == set()


@pytest.mark.parametrize("rights", [(), ("view_chargingsession",), ("view_orphan",)])
def test_the_page_is_for_those_who_may_see_both(db, client, rights):
    clerk = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(clerk)
    assert client.get(WAITING).status_code == 403
    assert WAITING not in client.get("/admin/").text


def test_a_driver_is_sent_to_the_log_in(client, alice):
    client.force_login(alice)
    assert client.get(WAITING).url.startswith("/admin/login/")


def test_a_review_is_settled_with_an_amount(olgas, olga, doubted, alice):
    answer = press(olgas, button(doubted, "settle_with"), amount="50.00")
    assert errors_of(answer).keys() == {"reason"}
    answer = press(olgas, button(doubted, "settle_with"), amount="138.76", reason="?")
    assert errors_of(answer) == {"amount": ["It must be from 0.00 to 138.75."]}
    answer = press(olgas, button(doubted, "settle_with"), amount="50.00", reason="photo")
    assert told(answer) == ["Settled: 50.00 KGS."]
    assert ledger.account_of(alice).available_minor == 95_000
    entry = LogEntry.objects.get(object_id=str(doubted.pk))
    assert (entry.user, entry.change_message) == (olga, "Settle with an amount: photo")
    assert open_alerts() == set()


def test_a_review_is_settled_on_a_meter(olgas, doubted, alice):
    values = {"meter_stop_kwh": "9.000", "reason": "display"}
    answer = press(olgas, button(doubted, "settle_on_meter"), **values)
    assert told(answer) == ["Ended: 8.000 kWh, 100.00 KGS."]
    assert ledger.account_of(alice).available_minor == 90_000
    assert open_alerts() == set()


def test_a_review_is_released(olgas, doubted, alice):
    answer = press(olgas, button(doubted, "release"), reason="goodwill")
    assert told(answer) == ["The hold is free, and nothing is paid."]
    assert ledger.account_of(alice).available_minor == 100_000


def test_the_buttons_are_offered_only_while_it_waits(olgas, stage, alice, doubted):
    waiting = change_page(olgas, doubted)
    assert all(button(doubted, name) in waiting for name in RESOLVING)
    assert button(doubted, "force_end") not in waiting
    press(olgas, button(doubted, "release"), reason="goodwill")
    done = change_page(olgas, doubted)
    assert not any(button(doubted, name) in done for name in RESOLVING)
    late = press(olgas, button(doubted, "settle_with"), amount="1", reason="late")
    assert "This session is not in review." in late.text


def test_a_review_is_resolved_only_by_those_who_may(client, stage, doubted):
    stage.end(4711)
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    rights = ("view_chargingsession", "view_orphan")
    viewer.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(viewer)
    assert client.get(WAITING).status_code == 200
    assign = f"{ORPHANS}{Orphan.objects.get().pk}/assign/"
    for address in (assign, *(button(doubted, name) for name in RESOLVING)):
        assert client.get(address).status_code == 403
        assert client.post(address, {"_submit": "1", "reason": "?"}).status_code == 403
    doubted.refresh_from_db()
    assert doubted.status == "review"


def test_a_message_is_assigned_to_a_session_of_its_station(olgas, olga, stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(4711)
    orphan = Orphan.objects.get()
    address = f"{ORPHANS}{orphan.pk}/assign/"
    assert "alice@example.org" in olgas.get(address).text
    answer = press(olgas, address, session=str(session.pk))
    assert errors_of(answer).keys() == {"reason"}
    answer = press(olgas, address, session=str(session.pk), reason="same car")
    assert told(answer) == ["Assigned. The session: completed, 8.000 kWh, 100.00 KGS."]
    orphan.refresh_from_db()
    assert (orphan.session, orphan.resolved_by, orphan.resolution) == (session, olga, "same car")
    assert address not in olgas.get(f"{ORPHANS}{orphan.pk}/change/").text
    assert open_alerts() == set()


def test_a_message_is_not_assigned_to_what_is_not_offered(olgas, stage, alice):
    session = stage.ask(alice, value="500")
    stage.end(4711)
    address = f"{ORPHANS}{Orphan.objects.get().pk}/assign/"
    for choice in (session.pk, alice.pk, "", "x"):
        answer = press(olgas, address, session=str(choice), reason="?")
        assert errors_of(answer).keys() == {"session"}


# --- Messages that become sessions -----------------------------------------------------------


def lose_stops(stage, *numbers):
    """Stops of transactions that we do not know, each after two readings of 4 kWh apart."""
    for number in numbers:
        stage.deliver(number, 4_000)
        stage.deliver(number, 4_000)
        stage.end(number)
    return list(Orphan.objects.filter(kind="stop").order_by("pk"))


def at(orphan, name):
    return f"{ORPHANS}{orphan.pk}/{name}/"


def test_a_session_is_made_of_a_message_once(olgas, olga, stage, alice):
    (orphan,) = lose_stops(stage, 4711)
    said = {"driver": alice.pk, "connector_id": "1", "tariff": "", "reason": "it is hers"}
    page = open_page(olgas, at(orphan, "make_session"))
    for _ in range(2):
        answer = press(olgas, at(orphan, "make_session"), page=page, **said)
    session = ChargingSession.objects.get()
    assert (session.user, session.cost_minor) == (alice, 5_000)
    assert "done already" in told(answer)[0]
    entry = LogEntry.objects.get()
    assert (entry.user, "it is hers" in entry.change_message) == (olga, True)
    assert at(orphan, "make_session") not in olgas.get(f"{ORPHANS}{orphan.pk}/change/").text


def test_what_a_message_does_not_say_is_asked_for(olgas, stage, alice):
    stage.end(4711)
    orphan = Orphan.objects.get()
    said = {"driver": alice.pk, "connector_id": "1", "reason": "it is hers"}
    answer = press(olgas, at(orphan, "make_session"), **said)
    assert errors_of(answer).keys() == {"meter_start"}
    press(olgas, at(orphan, "make_session"), **said, meter_start="0.5")
    assert ChargingSession.objects.get().energy_wh == 500


@pytest.mark.parametrize(
    "wrong", [{"driver": ""}, {"connector_id": "9"}, {"meter_stop": "-1"}, {"reason": ""}]
)
def test_a_wrong_form_makes_no_session(olgas, stage, alice, wrong):
    (orphan,) = lose_stops(stage, 4711)
    said = {"driver": alice.pk, "connector_id": "1", "reason": "it is hers"}
    answer = press(olgas, at(orphan, "make_session"), **(said | wrong))
    assert errors_of(answer).keys() == set(wrong)
    assert not ChargingSession.objects.exists()


def test_another_tariff_of_the_station_may_be_chosen(olgas, stage, alice, tariff):
    (orphan,) = lose_stops(stage, 4711)
    said = {"driver": alice.pk, "connector_id": "2", "reason": "it is hers"}
    press(olgas, at(orphan, "make_session"), tariff=tariff.pk, **said)
    assert ChargingSession.objects.get().tariff == tariff


def test_several_messages_are_written_off_at_once(olgas, olga, stage):
    chosen = lose_stops(stage, 4711, 4712, 4713)
    many = {"action": "write_off", "_selected_action": [orphan.pk for orphan in chosen]}
    page = olgas.post(ORPHANS, many).context["form"]["page"].value()
    olgas.post(ORPHANS, many | {"_submit": "1", "page": page, "reason": "a test of the fitter"})
    sessions = ChargingSession.objects.all()
    assert [row.stop_reason for row in sessions] == ["written_off"] * 3
    assert not Orphan.objects.filter(resolved_at=None).exists()
    assert -ledger.house(Account.Kind.LOSS).balance_minor == 3 * 5_000
    page = olgas.get(reverse("admin:stations_station_change", args=[stage.station.pk])).text
    assert "12.000 kWh" in page


def test_several_messages_are_written_off_but_for_one_that_says_too_little(olgas, stage):
    chosen = lose_stops(stage, 4711)
    stage.end(4712)
    chosen = Orphan.objects.filter(kind="stop")
    many = {"action": "write_off", "_selected_action": [orphan.pk for orphan in chosen]}
    page = olgas.post(ORPHANS, many).context["form"]["page"].value()
    said = {"_submit": "1", "page": page, "reason": "a test of the fitter"}
    answer = olgas.post(ORPHANS, many | said, follow=True)
    assert ChargingSession.objects.count() == 1
    assert Orphan.objects.filter(resolved_at=None).count() == 1
    assert any("4712" in text for text in told(answer))
