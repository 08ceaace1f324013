"""What Prometheus is told, read back by its own parser."""

import datetime as dt
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from billing import ledger
from billing.models import OutboxMessage
from billing.money import Minor
from config import tallies
from sessions_app.models import Orphan, ReconcileRun
from sessions_app.tests.stage import Stage
from stations import alerts, commands
from stations.models import Command, GatewayProcess, Site, Station

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def scrape(client):
    def read(path="/metrics"):
        response = client.get(path)
        assert response.status_code == 200
        families = text_string_to_metric_families(response.content.decode())
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    return read


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_an_empty_installation_shows_zeros(scrape, path):
    values = scrape(path)
    assert values["kubat_stations",] == 0
    assert values["kubat_sessions", "charging"] == 0
    assert values["kubat_alerts_open", "critical"] == 0
    assert values["kubat_held", "KGS"] == 0


def test_stations_count_as_online_by_the_lease_of_their_process(scrape, station):
    assert (scrape()["kubat_stations",], scrape()["kubat_stations_online",]) == (1, 0)
    station.owner = GatewayProcess.objects.create(channel="c", host="h")
    station.save()
    assert (scrape()["kubat_stations_online",], scrape()["kubat_gateways",]) == (1, 1)


def test_money_is_shown_in_som(scrape, alice):
    account = ledger.account_of(alice)
    ledger.hold(key="h", account=account, amount=Minor(50_050), reference=f"x:{uuid.uuid4()}")
    values = scrape()
    assert values["kubat_holds",] == 1
    assert values["kubat_held", "KGS"] == 500.50
    assert values["kubat_balance", "KGS", "customer"] == 1000
    assert values["kubat_balance", "KGS", "funding"] == -1000
    assert values["kubat_transfers_total", "posted", "topup"] == 1
    assert values["kubat_transferred_total", "posted", "topup"] == 1000


def test_a_resolved_hold_is_no_longer_held(scrape, alice):
    account = ledger.account_of(alice)
    ledger.void(ledger.hold(key="h", account=account, amount=Minor(500), reference="x:1"))
    assert scrape()["kubat_held", "KGS"] == 0


def test_queues_are_counted_by_state(scrape, station):
    commands.send(station=station, action="Reset", payload={}, lane=Command.Lane.ASKED)
    alerts.open_alert("test", "1", "Something.", station=station)
    OutboxMessage.objects.create(key="k", topic="t", status=OutboxMessage.Status.FAILED)
    values = scrape()
    assert values["kubat_commands", "queued"] == 1
    assert values["kubat_alerts_open", "warning"] == 1
    assert (values["kubat_outbox", "queued"], values["kubat_outbox", "failed"]) == (1, 1)


def test_stations_are_told_by_site(scrape, station):
    market, empty = (Site.objects.create(name=name) for name in ("Osh bazaar", "Empty"))
    station.site, station.owner = market, GatewayProcess.objects.create(channel="c", host="h")
    station.save()
    Station.objects.create(station_id="K-2", identity="k-2", site=market)
    Station.objects.create(station_id="K-3", identity="k-3")
    values = scrape()
    told = {
        site: (values["kubat_site_stations", site], values["kubat_site_stations_online", site])
        for site in (market.name, empty.name, "none")
    }
    assert told == {"Osh bazaar": (2, 1), "Empty": (0, 0), "none": (1, 0)}
    assert (values["kubat_stations",], values["kubat_stations_online",]) == (3, 1)


def test_a_station_whose_process_has_died_is_not_online_at_its_site(scrape, station):
    station.site = Site.objects.create(name="Osh bazaar")
    silent = timezone.now() - dt.timedelta(seconds=11)
    station.owner = GatewayProcess.objects.create(channel="c", host="h", lease_at=silent)
    station.save()
    assert scrape()["kubat_site_stations_online", "Osh bazaar"] == 0


def test_two_sites_of_one_name_are_one_series(scrape, station):
    for number in (1, 2):
        site = Site.objects.create(name="Depot")
        Station.objects.create(station_id=f"D-{number}", identity=f"d-{number}", site=site)
    assert scrape()["kubat_site_stations", "Depot"] == 2


def test_connectors_are_told_by_status(scrape, station):
    station.connectors.filter(connector_id=2).update(status="Faulted")
    values = scrape()
    assert values["kubat_connectors", "Available"] == 1
    assert values["kubat_connectors", "Faulted"] == 1
    assert values["kubat_connectors", "Charging"] == 0


def test_many_connectors_are_counted_by_the_worker(scrape, station, monkeypatch):
    monkeypatch.setattr(tallies, "SMALL", 2)
    tallies.run_due(timezone.now())
    station.connectors.update(status="Faulted")
    assert scrape()["kubat_connectors", "Faulted"] == 0
    tallies.run_due(timezone.now() + dt.timedelta(hours=1))
    assert scrape()["kubat_connectors", "Faulted"] == 2


def test_the_review_queue_is_told_by_its_length_and_its_age(scrape, station, alice):
    values = scrape()
    assert values["kubat_review_oldest_age_seconds", "session"] == 0
    assert values["kubat_review_oldest_age_seconds", "message"] == 0
    station.max_power_kw = 22
    station.save()
    stage = Stage(station)
    session = stage.charge(alice, "energy", "10")
    stage.deliver(session.transaction_id, 5_000, seconds=60)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.status == "review"
    session.events.filter(to_status="review").update(at=timezone.now() - dt.timedelta(hours=2))
    old = timezone.now() - dt.timedelta(hours=3)
    for number, at in enumerate([old, timezone.now()]):
        Orphan.objects.create(
            key=str(number), kind="stop", station=station, payload={}, cause="c", received_at=at
        )
    values = scrape()
    assert values["kubat_sessions", "review"] == 1
    assert values["kubat_orphans_open",] == 2
    assert 7200 <= values["kubat_review_oldest_age_seconds", "session"] < 7300
    assert 10_800 <= values["kubat_review_oldest_age_seconds", "message"] < 10_900


def test_what_has_been_decided_does_not_age(scrape, station):
    Orphan.objects.create(
        key="1",
        kind="stop",
        station=station,
        payload={},
        cause="c",
        received_at=timezone.now() - dt.timedelta(days=1),
        resolved_at=timezone.now(),
    )
    assert scrape()["kubat_review_oldest_age_seconds", "message"] == 0


@pytest.mark.parametrize(("ago_s", "least", "most"), [(60, 60, 70), (-60, 0, 0)])
def test_a_queue_lags_by_its_oldest_row_that_is_due(scrape, ago_s, least, most):
    due_at = timezone.now() - dt.timedelta(seconds=ago_s)
    OutboxMessage.objects.create(key="k", topic="t", due_at=due_at)
    done = OutboxMessage.Status.DELIVERED
    OutboxMessage.objects.create(key="d", topic="t", due_at=due_at - DAY, status=done)
    values = scrape()
    assert least <= values["kubat_queue_lag_seconds", "outbox"] <= most
    assert values["kubat_queue_lag_seconds", "sessions"] == 0


def test_the_last_reconcile_is_told(scrape):
    assert scrape()["kubat_reconcile_last_timestamp_seconds",] == 0
    now = timezone.now()
    for ago, code, counts in ((0, None, {}), (1, 1, {"balance": 2, "hold": 1}), (2, 2, {})):
        ReconcileRun.objects.create(
            day=now.date() - ago * DAY,
            time_zone="UTC",
            exit=code,
            counts=counts,
            finished_at=None if code is None else now,
        )
    values = scrape()
    assert values["kubat_reconcile_findings",] == 3
    assert values["kubat_reconcile_failed",] == 0
    assert values["kubat_reconcile_last_timestamp_seconds",] == pytest.approx(now.timestamp())


def test_names_are_as_prometheus_wants_them(client):
    families = list(text_string_to_metric_families(client.get("/metrics").content.decode()))
    assert len(families) > 40
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert re.fullmatch(r"kubat_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert not re.search("_(ms|minutes|hours?|kwh|kb)$", family.name.replace("watt_hours", ""))
        labels = {label for sample in family.samples for label in sample.labels}
        assert labels.isdisjoint({"station", "station_id", "session", "user"})


def test_more_of_everything_costs_no_more_queries(client, station, alice):
    with CaptureQueriesContext(connection) as few:
        client.get("/metrics")
    stage = Stage(station)
    for number in range(5):
        site = Site.objects.create(name=f"Site {number}")
        Station.objects.create(station_id=f"M-{number}", identity=f"m-{number}", site=site)
        session = stage.charge(alice, "energy", "1")
        stage.deliver(session.transaction_id, 1_100)
        stage.end(session.transaction_id)
    with CaptureQueriesContext(connection) as many:
        client.get("/metrics")
    assert len(many) <= len(few) + 1  # the sites of losses, which there were none of


def test_a_scrape_costs_a_fixed_number_of_queries(client, django_assert_max_num_queries):
    with django_assert_max_num_queries(25):
        client.get("/metrics")
