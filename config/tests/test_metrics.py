"""What Prometheus is told, read back by its own parser."""

import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from billing import ledger
from billing.models import OutboxMessage
from billing.money import Minor
from stations import alerts, commands
from stations.models import Command, GatewayProcess

pytestmark = pytest.mark.django_db


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


def test_a_scrape_costs_a_fixed_number_of_queries(client, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        client.get("/metrics")
