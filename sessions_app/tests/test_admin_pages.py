"""Every page of every model in the back office: open to olga, and to nobody without the right."""

import datetime as dt
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from billing import sealed
from billing.admin.base import DiaryAdmin
from billing.hooks import endpoints
from billing.models import (
    FiscalRegistration,
    IdempotentRequest,
    Notice,
    NoticePreference,
    Payment,
    PaymentWebhook,
    Receipt,
    SandboxPayment,
    TerminalPayment,
    User,
)
from billing.money import Minor
from billing.payments.returns import request_refund
from config import tallies
from config.models import RuleLook, WorkerProcess
from conftest import PASSWORD
from sessions_app.models import (
    Backstop,
    BackstopRefusal,
    ChargingSession,
    LocalList,
    Orphan,
    Reading,
    ReconcileRun,
    Reservation,
    SessionEvent,
    StopStep,
)
from sessions_app.services import guest
from sessions_app.tags import add_tag
from stations import wishes
from stations.alerts import open_alert
from stations.certificates import roots
from stations.models import (
    Alert,
    AlertChannel,
    AlertNotice,
    AlertSilence,
    Command,
    CompositeSchedule,
    Connector,
    ConnectorStatus,
    Frame,
    IgnoredFrames,
    InstalledProfile,
    InstalledRoot,
    MeasuredProcess,
    MeterProfile,
    PendingKey,
    SecurityEvent,
    Site,
    Station,
    StationCertificate,
    StopHabit,
    Takeovers,
)
from stations.tests.maintenance import leave_traces
from stations.uptime import exclusions, history, months

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = ("billing", "stations", "sessions_app", "config")
ADDED_BY_FORM = ("auth.Group", "billing.User", "sessions_app.IdTag", "stations.Site")
ADDED_BY_FORM += ("stations.Station", "stations.ConfigurationWish", "stations.FirmwareImage")
ADDED_BY_FORM += ("billing.WebhookEndpoint", "stations.AlertChannel", "stations.AlertSilence")
DIARIES = [model for model in MODELS if isinstance(admin.site._registry[model], DiaryAdmin)]
SEARCHES = ("K-1", "alice", "+996 700", "12", "00000000-0000-0000-0000-000000000000", "'\"%_\\")


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def each_model(test):
    ids = [model._meta.label for model in MODELS]
    return pytest.mark.parametrize("model", MODELS, ids=ids)(test)


@pytest.fixture
def world(stage, alice, olga):
    """At least one row of each model, the most of them made by a charge."""
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 1500, power_w=90_000)
    stage.end(session.transaction_id)
    stage.end(4711)
    station = stage.station
    Site.objects.create(name="Osh market")
    wishes.add_wish(key="HeartbeatInterval", value="300", by=olga)
    PendingKey.objects.create(station=station, digest="0" * 64)
    MeterProfile.objects.create(station=station)
    Frame.objects.create(station=station, direction="in", action="Heartbeat", text="[2,...]")
    IgnoredFrames.objects.create(station=station, kind="binary", count=1)
    ConnectorStatus.objects.create(
        station=station, connector_id=1, status="Charging", at=timezone.now()
    )
    FiscalRegistration.objects.create(receipt=Receipt.objects.get(), fiscal_number="F-1")
    add_tag({"id_tag": "CARD1", "user": alice}, actor=olga)
    LocalList.objects.create(station=station)
    Group.objects.create(name="operators")
    AuthToken.objects.create(alice)
    IdempotentRequest.objects.create(user=alice, path="/ocpp/start_charge", key="k")
    LogEntry.objects.log_actions(olga.pk, [station], CHANGE, change_message="named")
    WorkerProcess.objects.create(host="test")
    tallies.run_due(timezone.now())
    guest.open_charge(
        station_id="K-1", connector_id=2, amount=Minor(20_000), provider="manual", seller=olga
    )
    reserve(station, alice)
    Backstop.objects.create(session=session)
    BackstopRefusal.objects.create(station=station, until=timezone.now())
    make_payments(alice, olga)
    leave_traces(station, olga)
    make_securities(station)
    make_uptime(station, olga)
    keyed = endpoints.add_endpoint(facts={"url": "https://erp.example/"}, by=olga)
    endpoints.send_test(endpoint_id=keyed.endpoint.pk, by=olga)
    ReconcileRun.objects.create(day=dt.date(2026, 11, 24), time_zone="Asia/Bishkek")
    StopStep.objects.create(session=session, kind="remote_stop", energy_wh=1500)
    StopHabit.objects.create(station=station, latencies_s=[1.5])
    MeasuredProcess.objects.create(name="test")
    Notice.objects.create(user=alice, kind="money", channel="email")
    NoticePreference.objects.create(user=alice)
    make_alerts(station, olga)
    return session


def make_alerts(station, olga):
    now = timezone.now()
    open_alert("offline", "K-1", "It is away.", station=station)
    channel = AlertChannel.objects.create(name="mail", sealed_address=sealed.seal("json://x"))
    AlertNotice.objects.create(
        channel=channel, alert=Alert.objects.first(), event="opened", due_at=now
    )
    AlertSilence.objects.create(station=station, until=now, reason="works", made_by=olga)
    Takeovers.objects.create(station=station)
    RuleLook.objects.create(kind="station_offline", due_at=now)


def reserve(station, driver):
    Reservation.objects.create(
        station=station,
        connector_id=2,
        user=driver,
        id_tag="TAG",
        has_own_tag=True,
        requested_by=driver,
        expires_at=timezone.now() + dt.timedelta(minutes=5),
    )


def make_securities(station):
    """A certificate, a root and an event of a station, and a charging profile that it holds."""
    now = timezone.now()
    StationCertificate.objects.create(
        station=station,
        serial="1",
        fingerprint="1",
        request_digest="1",
        pem="-----BEGIN CERTIFICATE-----",
        not_before=now,
        not_after=now,
    )
    InstalledRoot.objects.create(station=station, kind=roots.KINDS[0], hash_algorithm="MD5")
    SecurityEvent.objects.create(station=station, type="FirmwareUpdated")
    CompositeSchedule.objects.create(
        station=station, connector_id=1, start_at=now, duration_s=60, unit="A", periods=[]
    )
    InstalledProfile.objects.create(
        station=station,
        connector_id=0,
        profile_id=1,
        purpose="TxDefaultProfile",
        stack_level=0,
        profile={},
    )


def make_uptime(station, staff):
    """A change of presence, and a month with an exclusion."""
    now = timezone.now()
    history.note([station.pk], is_on=True, at=now - dt.timedelta(minutes=2))
    months.compute([station.pk], months.first_day(now.date()), now)
    exclusions.exclude(
        station=station,
        connector_id=None,
        began_at=now - dt.timedelta(minutes=1),
        ended_at=now,
        category="utility",
        by=staff,
        reason="test",
    )


def make_payments(driver, staff):
    """A refund, a terminal's payment, and what the sandbox and its webhook left."""
    payment = Payment.objects.filter(user=driver).first()
    request_refund(payment_id=payment.pk, amount=Minor(1), reason="test", made_by=staff)
    SandboxPayment.objects.create(payment=payment, amount_minor=1)
    PaymentWebhook.objects.create(provider="sandbox", digest="1", body=b"{}", payment=payment)
    TerminalPayment.objects.create(
        terminal="pay24", txn_id="1", amount_minor=1, result=5, txn_at=timezone.now()
    )


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def clerk(db):
    """A member of staff who was given no right."""
    return User.objects.create_user("clerk", password=PASSWORD, is_staff=True)


def test_every_model_is_registered():
    models = {model for name in OURS for model in apps.get_app_config(name).get_models()}
    assert models <= set(admin.site._registry)


def test_every_page_opens_for_olga(olgas, world):
    for model in MODELS:
        row = model._default_manager.first()
        assert row is not None, model
        for address in (
            page(model, "changelist"),
            page(model, "change", row.pk),
            page(model, "history", row.pk),
        ):
            assert olgas.get(address).status_code == 200, address


@pytest.mark.parametrize("address", ["/admin", "/admin/"])
def test_the_first_page_opens_in_both_spellings(olgas, address):
    answer = olgas.get(address)
    assert answer.status_code == 200
    assert "Sessions that run" in answer.text


@each_model
def test_only_what_staff_may_write_has_a_form_to_add(olgas, model):
    status = 200 if model._meta.label in ADDED_BY_FORM else 403
    assert olgas.get(page(model, "add")).status_code == status


def test_a_driver_is_sent_to_the_log_in(client, alice):
    client.force_login(alice)
    for model in MODELS:
        answer = client.get(page(model, "changelist"))
        assert answer.status_code == 302
        assert answer.url.startswith("/admin/login/")


def test_staff_without_rights_see_nothing(client, clerk, world):
    client.force_login(clerk)
    assert client.get("/admin/").status_code == 200
    for model in MODELS:
        row = model._default_manager.first()
        for address in (
            page(model, "changelist"),
            page(model, "add"),
            page(model, "change", row.pk),
        ):
            assert client.get(address).status_code == 403, address


def test_staff_who_may_view_one_model_see_that_one_only(client, clerk, world):
    client.force_login(clerk)
    for model in MODELS:
        label, name = model._meta.app_label, model._meta.model_name
        right = Permission.objects.get(content_type__app_label=label, codename=f"view_{name}")
        clerk.user_permissions.set([right])
        row = model._default_manager.first()
        assert client.get(page(model, "changelist")).status_code == 200
        assert client.get(page(model, "change", row.pk)).status_code == 200
        assert client.get(page(model, "add")).status_code == 403
        sidebar = client.get("/admin/").context["sidebar_navigation"]
        links = [item["link"] for group in sidebar for item in group["items"]]
        assert links == ["/admin/", page(model, "changelist")]


def test_search_takes_any_text(olgas, world):
    for model in MODELS:
        assert admin.site._registry[model].search_fields, model
        for text in SEARCHES:
            answer = olgas.get(page(model, "changelist"), {"q": text})
            assert answer.status_code == 200, (model, text)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Frame, "[2,"),
        (ChargingSession, "alice@example"),
        (Station, "k-1"),
        (User, "Alice"),
        (Orphan, "4711"),
        (Command, "RemoteStart"),
    ],
)
def test_search_finds(olgas, world, model, text):
    found = olgas.get(page(model, "changelist"), {"q": text}).context["cl"].result_list
    assert len(found) == 1
    assert not olgas.get(page(model, "changelist"), {"q": "nowhere"}).context["cl"].result_list


def queries_of(model_admin, spec, changelist):
    """Every address that a filter offers, and one for each form that it shows."""
    for choice in spec.choices(changelist):
        if "query_string" in choice:
            yield choice["query_string"].removeprefix("?")
    related = getattr(getattr(spec, "field", None), "related_model", None)
    if related:
        yield urlencode({spec.lookup_kwarg: related.objects.first().pk})
    else:
        plausible = {"_0": "2026-01-31", "_1": "10:00"}
        yield urlencode(
            {name: plausible.get(name[-2:], "1") for name in spec.expected_parameters()}
        )


def test_each_filter_opens(olgas, olga, world):
    tried = 0
    for model, model_admin in admin.site._registry.items():
        request = RequestFactory().get(page(model, "changelist"))
        request.user = olga
        changelist = model_admin.get_changelist_instance(request)
        for spec in changelist.filter_specs:
            for query in queries_of(model_admin, spec, changelist):
                answer = olgas.get(f"{page(model, 'changelist')}?{query}")
                assert answer.status_code == 200, (model, query)
                tried += 1
    assert tried > len(MODELS)


@pytest.mark.parametrize(
    ("model", "query", "found"),
    [
        (Station, "online=1", 1),
        (Station, "online=0", 0),
        (Orphan, "open=1", 1),
        (Orphan, "open=0", 0),
        (ChargingSession, "course=open", 0),
        (ChargingSession, "status__exact=completed", 1),
        (Frame, "at_from_0=2020-01-01&at_from_1=", 1),
        (Frame, "at_to_0=2020-01-01&at_to_1=10:00", 0),
        (Frame, "action__icontains=heart", 1),
    ],
)
def test_filters_filter(olgas, world, model, query, found):
    answer = olgas.get(f"{page(model, 'changelist')}?{query}")
    assert len(answer.context["cl"].result_list) == found


def add_rows(numbers):
    for number in numbers:
        station = Station.objects.create(station_id=f"S{number}", identity=f"s{number}")
        Connector.objects.create(station=station, connector_id=1)
        user = User.objects.create_user(f"user{number}")
        session = ChargingSession.objects.create(
            user=user, station=station, origin="remote", limit_type="full", currency="KGS"
        )
        SessionEvent.objects.create(session=session, kind="moved", actor="test")
        StopStep.objects.create(session=session, kind="remote_stop", energy_wh=0, asked_by=user)
        Reading.objects.create(
            session=session,
            station=station,
            connector_id=1,
            at=timezone.now(),
            received_at=timezone.now(),
        )
        Frame.objects.create(station=station, direction="in", text="[]")
        IgnoredFrames.objects.create(station=station, kind="binary", count=1)
        Command.objects.create(station=station, action="Reset", lane=2, requested_by=user)
        LocalList.objects.create(station=station)
        Orphan.objects.create(key=f"{number}", kind="stop", station=station, payload={}, cause="?")
        reserve(station, user)
        LogEntry.objects.log_actions(user.pk, [station], CHANGE, change_message="x")


def count_queries(client, model):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(page(model, "changelist")).status_code == 200
    return len(queries)


def test_lists_ask_as_much_for_many_rows_as_for_few(olgas, world):
    add_rows(range(2))
    few = {model: count_queries(olgas, model) for model in MODELS}
    add_rows(range(2, 12))
    many = {model: count_queries(olgas, model) for model in MODELS}
    assert many == few
    assert max(many.values()) <= 15


@pytest.mark.parametrize("model", DIARIES, ids=lambda model: model.__name__)
def test_a_diary_is_never_read_as_a_whole(olgas, world, model):
    with CaptureQueriesContext(connection) as queries:
        olgas.get(page(model, "changelist"))
    table = model._meta.db_table
    asked = [query["sql"] for query in queries if f'FROM "{table}"' in query["sql"]]
    assert len(asked) == 1
    assert "COUNT(" not in asked[0]
    assert "DISTINCT" not in asked[0]
    assert "LIMIT" in asked[0]


def test_readings_and_frames_are_diaries():
    assert {Reading, Frame} <= set(DIARIES)


def test_no_list_counts_further_than_its_bound(olgas, world):
    for model in MODELS:
        with CaptureQueriesContext(connection) as queries:
            olgas.get(page(model, "changelist"))
        table = f'FROM "{model._meta.db_table}"'
        asked = [q["sql"] for q in queries if table in q["sql"]]
        counts = [sql for sql in asked if sql.startswith("SELECT COUNT(")]
        assert all("LIMIT 10001" in sql or "GROUP BY" in sql for sql in counts), counts


def test_the_readings_of_a_station_are_shown_a_month_at_a_time(olgas, station):
    now = timezone.now()
    for days in (1, 40):
        at = now - dt.timedelta(days=days)
        Reading.objects.create(station=station, connector_id=1, at=at, received_at=at)
    query = {"station__id__exact": station.pk}
    found = olgas.get(page(Reading, "changelist"), query)
    assert [row.at for row in found.context["cl"].result_list] == [now - dt.timedelta(days=1)]
    assert "By the station&#x27;s clock from" in found.text
    query["received_at_to_0"] = f"{now - dt.timedelta(days=20):%Y-%m-%d}"
    found = olgas.get(page(Reading, "changelist"), query)
    assert [row.at for row in found.context["cl"].result_list] == [now - dt.timedelta(days=40)]
    assert len(olgas.get(page(Reading, "changelist")).context["cl"].result_list) == 2


def test_readings_are_found_by_a_session_or_a_station_and_by_no_part_of_one(olgas, world):
    def found(text):
        listed = olgas.get(page(Reading, "changelist"), {"q": text}).context["cl"]
        return {row.pk for row in listed.result_list}

    own = set(world.readings.values_list("pk", flat=True))
    assert own
    assert found(str(world.pk)) == own
    assert found("k-1") >= own
    assert found("K-") == found(str(world.pk)[:8]) == set()
