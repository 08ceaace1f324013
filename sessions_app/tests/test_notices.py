"""What a driver is told of a charge: each once, by the real path, to real receivers on loopback."""

import datetime as dt
import re
from dataclasses import asdict
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.models import Notice, OutboxMessage, User
from billing.notices.sms import MOST, PART
from billing.receipts.languages import LANGUAGES
from billing.tests.told import notices, wants, work
from conftest import top_up
from sessions_app.models import ChargingSession, IdTag
from sessions_app.notice_words import MOST_OF_PLACE, WORDS
from sessions_app.services import expire, stop
from sessions_app.services.notices import LOST_TOPIC
from stations.models import Station

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("fresh_channels", "promises_hold"),
]
ALL = ("charging_ended", "limit_reached", "nearly_used", "station_lost", "start_failed", "money")
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def driver(bob, gateway):
    """Bob, who is told everything by SMS, and has money that he was told of already."""
    top_up(bob, 100_000)
    wants(bob, **{kind: ["sms"] for kind in ALL})
    work()
    gateway.got.clear()
    Notice.objects.all().delete()
    return bob


@pytest.fixture
def told(gateway):
    def told():
        work()
        texts = [text for _, text in gateway.got]
        gateway.got.clear()
        return texts

    return told


def clock(stage):
    return f"{stage.now.astimezone(stage.station.zone):%H:%M}"


# --- Words ----------------------------------------------------------------------------------------


def test_no_word_is_missing_and_placeholders_are_the_same_in_all_languages():
    assert set(WORDS) == set(LANGUAGES)
    english = asdict(WORDS["en"])
    for code, words in WORDS.items():
        for name, text in asdict(words).items():
            assert text, (code, name)
            holes = sorted(re.findall(r"{\w+}", text))
            assert holes == sorted(re.findall(r"{\w+}", english[name])), (code, name)


LONGEST = {
    "place": "Я" * MOST_OF_PLACE,
    "time": "23:59",
    "energy": "123,456",
    "cost": "12 345,67 сом",
    "before": "12 345,67 сом",
    "used": "12 345,67 сом",
    "most": "12 345,67 сом",
    "amount": "12 345,67 сом",
}
USUAL = {
    "place": "Ош базары 2",
    "time": "14:05",
    "energy": "39,6",
    "cost": "495 сом",
    "before": "495 сом",
    "used": "400 сом",
    "most": "500 сом",
    "amount": "5 сом",
}


def written(values):
    for code, words in WORDS.items():
        energy = f"{values['energy']} {LANGUAGES[code].units['kWh']}"
        for name, text in asdict(words).items():
            if name != "released":
                whole = text + (words.released if name in ("ended", "limit", "failed") else "")
                yield code, name, whole.format(**values | {"energy": energy})


def test_every_text_is_two_parts_of_an_sms_at_most():
    for code, name, text in written(LONGEST):
        assert len(text) <= MOST, (code, name, len(text))


def test_most_usual_texts_are_one_part():
    """But for the rare limit that leaves something: time that was bought, or a state of charge."""
    long = {(code, name): text for code, name, text in written(USUAL) if len(text) > PART}
    assert {name for _, name in long} <= {"limit"}, long


# --- The charge ends ------------------------------------------------------------------------------


def test_the_end_tells_energy_cost_and_what_is_free_again(stage, driver, told):
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    (text,) = told()
    assert text == f"K-1 {clock(stage)}: заряжено 8 кВт·ч за 100 сом. Возвращено 400 сом."
    assert notices() == [("charging_ended", "sms", "sent")]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ky", "8 кВт·саат кубатталды, 100 сом. Бошоду: 400 сом."),
        ("en", "charged 8 kWh for 100 som. Released 400 som."),
    ],
)
def test_it_is_told_in_the_drivers_language(stage, driver, told, language, text):
    User.objects.filter(pk=driver.pk).update(language=language)
    driver.refresh_from_db()
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    assert told() == [f"K-1 {clock(stage)}: {text}"]


def test_the_time_is_that_of_the_station(stage, driver, told):
    Station.objects.filter(pk=stage.station.pk).update(time_zone="Pacific/Auckland")
    stage.station.refresh_from_db()
    session = stage.charge(driver)
    stage.end(session.transaction_id, reason="Local")
    assert f"K-1 {clock(stage)}:" in told()[0]


def test_a_stop_that_comes_again_is_told_once(stage, driver, told):
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, 8_000)
    for _ in range(3):
        stage.end(session.transaction_id, reason="Local")
    assert len(told()) == 1
    stage.end(session.transaction_id, reason="Local")
    assert told() == []


def test_a_receipt_is_behind_the_link(stage, driver, mailbox, settings):
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org"
    User.objects.filter(pk=driver.pk).update(email="bob@example.org")
    driver.refresh_from_db()
    wants(driver, charging_ended=["email"], limit_reached=[])
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    work()
    (text,) = mailbox.texts
    assert re.search(r"Квитанция: https://kubat\.example\.org/r/[\w-]{35}\n", text)


def test_a_charge_that_cost_nothing_has_no_link(stage, driver, told, settings):
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org"
    session = stage.charge(driver)
    stage.end(session.transaction_id, reason="Local")
    (text,) = told()
    assert "за 0 сом" in text
    assert "https" not in text


def test_what_is_switched_off_is_not_told(stage, driver, told):
    wants(driver, **{kind: [] for kind in ALL})
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, 36_000)
    stage.end(session.transaction_id, reason="Local")
    assert told() == []
    assert notices() == []


def test_a_start_by_card_is_told_too(stage, driver, told):
    IdTag.objects.create(id_tag="CARD7", identity="card7", user=driver)
    verdict = stage.begin("CARD7")
    stage.deliver(verdict.transaction_id, 8_000)
    stage.end(verdict.transaction_id, reason="Local")
    assert len(told()) == 1


def test_an_operators_tag_is_told_to_nobody(stage, driver, told):
    IdTag.objects.create(id_tag="STAFF1", identity="staff1")
    verdict = stage.begin("STAFF1")
    stage.deliver(verdict.transaction_id, 8_000)
    stage.end(verdict.transaction_id, reason="Local")
    assert notices() == []


def test_anothers_charge_is_told_to_no_one_else(stage, alice, driver, told, mailbox):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    assert told() == []
    assert mailbox.recipients == ["alice@example.org"]


# --- Stopped by the limit -------------------------------------------------------------------------


def reach_limit(stage, driver):
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 41_000)
    stage.answer(stage.take_command())
    stage.end(session.transaction_id)
    return session


def test_a_stop_by_the_limit_is_one_message_that_says_so(stage, driver, told):
    reach_limit(stage, driver)
    (text,) = told()
    assert text == f"K-1 {clock(stage)}: лимит исчерпан, 41 кВт·ч за 500 сом."
    assert notices() == [("limit_reached", "sms", "sent")]


def test_whoever_hears_of_ends_alone_hears_of_that_one_too(stage, driver, told):
    wants(driver, limit_reached=[])
    reach_limit(stage, driver)
    assert len(told()) == 1


def test_whoever_hears_of_limits_alone_is_not_told_of_other_ends(stage, driver, told):
    wants(driver, charging_ended=[])
    session = stage.charge(driver, "amount", "500")
    stage.end(session.transaction_id, reason="Local")
    assert told() == []
    reach_limit(stage, driver)
    assert len(told()) == 1


def test_a_car_that_was_unplugged_did_not_reach_its_limit(stage, driver, told):
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 41_000)
    stage.end(session.transaction_id, reason="EVDisconnected")
    (text,) = told()
    assert "лимит исчерпан" not in text


# --- Corrections ----------------------------------------------------------------------------------


def lost_for_good(stage, driver):
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 8_000)
    stage.disconnect()
    expire.run_due(stage.now)
    expire.run_due(stage.now + dt.timedelta(hours=2))
    session.refresh_from_db()
    assert session.status == "completed"
    return session


def test_a_later_correction_tells_both_amounts_once(stage, driver, told):
    session = lost_for_good(stage, driver)
    assert len(told()) == 1
    stage.register_wh += 4_000
    for _ in range(2):
        stage.end(session.transaction_id, reason="Local")
    assert told() == ["K-1: счёт исправлен: было 100 сом, стало 150 сом."]


def test_a_late_stop_that_changes_nothing_tells_nothing(stage, driver, told):
    session = lost_for_good(stage, driver)
    told()
    stage.end(session.transaction_id, reason="Local")
    assert told() == []


# --- Nearly used ----------------------------------------------------------------------------------


def test_at_eighty_percent_of_the_hold_it_is_told_once(stage, driver, told):
    session = stage.charge(driver, "amount", "500")
    for _ in range(31):
        stage.deliver(session.transaction_id, 1_000)
    assert told() == []
    stage.deliver(session.transaction_id, 1_000)  # 32 kWh, 400 som
    assert told() == ["K-1: ушло 400 сом из 500 сом. Продлить можно в приложении."]
    for _ in range(3):
        stage.deliver(session.transaction_id, 1_000)
    assert told() == []


def test_the_hot_path_stays_short_before_and_after_it(stage, driver, told):
    """One sample goes the whole way to tell it; all others are steps."""
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 1_000)  # this one begins the following
    before = stage.follower.steps
    for _ in range(34):
        stage.deliver(session.transaction_id, 1_000)
    assert stage.follower.steps - before == 33
    assert len(told()) == 1


def test_of_energy_it_says_energy(stage, driver, told):
    session = stage.charge(driver, "energy", "10")
    stage.deliver(session.transaction_id, 8_000)
    assert told() == ["K-1: ушло 8 кВт·ч из 10 кВт·ч. Продлить можно в приложении."]


def test_of_time_it_says_minutes(powered, driver, told):
    session = powered.charge(driver, "time", "60")
    powered.deliver(session.transaction_id, 1_000, seconds=47 * 60)
    assert told() == []
    powered.deliver(session.transaction_id, 100, seconds=61)
    assert told() == ["K-1: ушло 48 мин из 60 мин. Продлить можно в приложении."]


def test_a_step_that_reaches_the_limit_at_once_tells_the_limit_alone(stage, driver, told):
    reach_limit(stage, driver)
    assert len(told()) == 1
    assert ChargingSession.objects.get().warned_at is None


def test_a_charge_that_is_being_stopped_is_not_warned_of(stage, driver, told):
    session = stage.charge(driver, "amount", "500")
    stage.stop(session, driver)
    stage.deliver(session.transaction_id, 36_000)
    assert told() == []


def test_it_follows_the_setting(stage, driver, told, settings):
    settings.CSMS_NEARLY_USED_PERCENT = 50
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 20_000)
    assert "250 сом из 500 сом" in told()[0]


def test_an_hour_late_it_is_of_no_use(stage, driver, told):
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 36_000)
    Notice.objects.update(stale_at=timezone.now() - MINUTE)
    assert told() == []
    assert notices() == [("nearly_used", "sms", "dropped")]
    assert Notice.objects.get().reason == "too late"


def test_it_is_useless_after_an_hour(stage, driver, told):
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, 36_000)
    row = Notice.objects.get()
    assert row.stale_at - row.created_at == dt.timedelta(hours=1)


def test_a_free_charge_is_not_nearly_used(stage, driver, tariff, told):
    tariff.price_per_kwh = Decimal(0)
    tariff.save()
    session = stage.charge(driver, "full", None)
    stage.deliver(session.transaction_id, 30_000)
    assert told() == []


# --- The station is lost --------------------------------------------------------------------------


def lose(stage, driver):
    session = stage.charge(driver, "amount", "500")
    stage.disconnect()
    expire.run_due(stage.now)
    return session


def test_a_station_that_stays_away_is_told_with_the_most_that_is_paid(stage, driver, told):
    lose(stage, driver)
    assert told() == []  # not yet
    work(at=timezone.now() + 3 * MINUTE)
    assert told() == [f"K-1: нет связи с {clock(stage)}. Вы заплатите не больше 500 сом."]
    assert notices() == [("station_lost", "sms", "sent")]


def test_a_station_that_comes_back_soon_is_not_told(stage, driver, told):
    for _ in range(3):
        lose_again(stage) if ChargingSession.objects.exists() else lose(stage, driver)
        stage.reconnect()
    work(at=timezone.now() + 10 * MINUTE)
    assert notices() == []


def lose_again(stage):
    stage.pass_time(seconds=5)
    stage.disconnect()
    expire.run_due(stage.now)


def test_once_a_loss_however_often_the_worker_looks(stage, driver, gateway):
    lose(stage, driver)
    for _ in range(3):
        expire.run_due(stage.now + MINUTE)
        work(at=timezone.now() + 3 * MINUTE)
    assert len(gateway.got) == 1


def test_back_is_told_to_whoever_was_told_of_the_loss_once(stage, driver, gateway, told):
    lose(stage, driver)
    work(at=timezone.now() + 3 * MINUTE)
    gateway.got.clear()
    stage.reconnect()
    stage.reconnect()
    assert told() == ["K-1: связь восстановлена."]


def test_the_next_loss_is_told_again(stage, driver, gateway):
    lose(stage, driver)
    work(at=timezone.now() + 3 * MINUTE)
    stage.reconnect()
    lose_again(stage)
    work(at=timezone.now() + 10 * MINUTE)
    assert [text.split(":")[1].split()[0] for _, text in gateway.got] == ["нет", "связь", "нет"]


def test_a_charge_that_ended_meanwhile_is_told_its_end_alone(stage, driver, told):
    session = lose(stage, driver)
    stage.end(session.transaction_id, reason="Local")  # it arrived on the old socket
    work(at=timezone.now() + 3 * MINUTE)
    assert [kind for kind, _, _ in notices()] == ["charging_ended"]


def test_the_pause_is_a_setting(stage, driver, settings, told):
    settings.CSMS_LOST_NOTICE_AFTER_S = 600
    lose(stage, driver)
    work(at=timezone.now() + 3 * MINUTE)
    assert notices() == []


def test_a_lost_station_without_a_charge_is_told_to_nobody(stage, driver):
    stage.disconnect()
    expire.run_due(stage.now)
    assert not OutboxMessage.objects.filter(topic=LOST_TOPIC).exists()


# --- It did not start -----------------------------------------------------------------------------


def test_a_refused_start_is_told_with_what_is_free_again(stage, driver, told):
    stage.ask(driver, "amount", "500")
    stage.answer(stage.take_command(), "Rejected")
    assert told() == ["K-1: зарядка не началась. Возвращено 500 сом."]


def test_a_start_that_expires_is_told_once(stage, driver, told):
    stage.ask(driver, "amount", "500")
    for _ in range(2):
        expire.run_due(timezone.now() + 10 * MINUTE)
    assert told() == ["K-1: зарядка не началась. Возвращено 500 сом."]


def test_a_start_that_the_driver_cancelled_is_not_told(stage, driver, told):
    session = stage.ask(driver, "amount", "500")
    stop.request_stop(session_id=session.pk, actor=driver)
    session.refresh_from_db()
    assert session.status == "error"
    assert told() == []


def test_too_little_money_is_told_by_the_answer_and_not_again(stage, driver, told):
    stage.ask(driver, "amount", "5000")
    assert told() == []


def test_a_start_that_comes_late_after_all_is_told_its_end(stage, driver, told):
    session = stage.ask(driver, "amount", "500")
    stage.accept_start()
    expire.run_due(timezone.now() + 10 * MINUTE)
    verdict = stage.begin(session)
    stage.deliver(verdict.transaction_id, 8_000)
    stage.end(verdict.transaction_id, reason="Local")
    assert len(told()) == 2
