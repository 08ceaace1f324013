"""Use cases on stations: what staff say of one, its key, its connectors, and who did it."""

import hashlib
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing.errors import Invalid
from sessions_app.models import ChargingSession
from sessions_app.services.holds import Limit
from sessions_app.services.start import request_start
from stations import registry, tariffs
from stations.errors import SiteInUse, StationInUse, StationNotFound, StationOffline
from stations.models import Command, Connector, Site, Station
from stations.registry import StationFacts
from stations.tests.cast import go_online, run_at_once
from stations.tests.test_tariffs import at_price


def register(by, station_id="S-1", **facts):
    return registry.register_station(facts=StationFacts(station_id=station_id, **facts), by=by)


def change(by, which="S-1", **changes):
    return registry.update_station(station_id=which, changes=StationFacts(**changes), by=by)


def numbers(station):
    return list(station.connectors.order_by("connector_id").values_list("connector_id", flat=True))


@pytest.fixture
def charged_station(station, alice):
    """K-1, where alice has a session at connector 2."""
    go_online(station)
    request_start(
        driver=alice,
        station_id="K-1",
        connector_id=2,
        limit=Limit(ChargingSession.LimitType.AMOUNT, Decimal(100)),
        actor=alice,
    )
    return station


def test_a_made_key_is_told_once_and_only_its_digest_is_kept(olga):
    keyed = register(olga)
    assert len(keyed.key) == 40
    assert keyed.station.key_digest == hashlib.sha256(keyed.key.encode()).hexdigest()
    assert keyed.key not in str(Station.objects.values().get())


def test_a_station_of_profile_0_or_3_has_no_key(olga):
    for profile in (0, 3):
        keyed = register(olga, f"P-{profile}", security_profile=profile)
        assert keyed.key is None
        assert keyed.station.key_digest == ""
        with pytest.raises(Invalid) as refusal:
            register(olga, f"Q-{profile}", security_profile=profile, key="12345678")
        assert "key" in refusal.value.fields


def test_an_identity_is_unique_without_case(olga):
    register(olga, "Straße-1")
    with pytest.raises(Invalid) as refusal:
        register(olga, "STRASSE-1")
    assert "station_id" in refusal.value.fields
    assert registry.find("strasse-1").station_id == "Straße-1"


@pytest.mark.django_db(transaction=True)
def test_of_two_registrations_at_once_in_two_cases_one_stands(olga):
    def outcome(identity):
        try:
            return register(olga, identity).station.station_id
        except Invalid as refusal:
            return list(refusal.fields)

    outcomes = run_at_once(lambda: outcome("S-1"), lambda: outcome("s-1"))
    assert sorted(map(str, outcomes)) in (["S-1", "['station_id']"], ["['station_id']", "s-1"])
    assert Station.objects.count() == 1
    assert LogEntry.objects.count() == 1


def test_an_identity_that_grows_past_its_column_is_refused(olga):
    with pytest.raises(Invalid) as refusal:
        register(olga, "ΐ" * 48)
    assert "station_id" in refusal.value.fields


def test_an_unprintable_identity_is_not_found(db):
    with pytest.raises(StationNotFound):
        registry.find("S\x00")


def test_changing_one_fact_leaves_what_the_gateway_wrote_meanwhile(olga):
    station = register(olga, name="Old").station
    Station.objects.filter(pk=station.pk).update(fence=7, vendor="Acme", name="Old")
    change(olga, name="New")
    station.refresh_from_db()
    assert (station.name, station.fence, station.vendor) == ("New", 7, "Acme")


def test_a_given_key_replaces_the_old_one_and_is_not_told(olga):
    old = register(olga).station.key_digest
    keyed = change(olga, key="another key")
    assert keyed.key is None
    assert keyed.station.key_digest == hashlib.sha256(b"another key").hexdigest() != old


def test_clearing_the_key_makes_a_new_one_and_tells_it(olga):
    old = register(olga).key
    new = change(olga, key=None).key
    assert new != old
    assert Station.objects.get().key_digest == hashlib.sha256(new.encode()).hexdigest()


def test_a_profile_that_needs_a_key_makes_one_and_one_that_does_not_drops_it(olga):
    register(olga, security_profile=0)
    key = change(olga, security_profile=1).key
    assert len(key) == 40
    assert change(olga, security_profile=2).key is None
    assert registry.find("S-1").key_digest == hashlib.sha256(key.encode()).hexdigest()
    change(olga, security_profile=0)
    assert registry.find("S-1").key_digest == ""


def test_a_station_keeps_its_identity_but_may_be_spelled_anew(olga):
    register(olga)
    assert change(olga, station_id="s-1").station.station_id == "s-1"
    with pytest.raises(Invalid) as refusal:
        change(olga, station_id="S-2")
    assert "station_id" in refusal.value.fields


def test_raising_the_count_adds_connectors_and_keeps_the_others(olga):
    station = register(olga, connectors=2).station
    station.connectors.filter(connector_id=1).update(status=Connector.Status.CHARGING)
    change(olga, connectors=4)
    assert numbers(station) == [1, 2, 3, 4]
    assert station.connectors.get(connector_id=1).status == "Charging"


def test_lowering_the_count_removes_only_connectors_that_sold_nothing(olga):
    station = register(olga, connectors=3).station
    second = station.connectors.get(connector_id=2)
    tariffs.assign(scope=tariffs.Scope(connector=second), offer=at_price("9"), by=olga)
    change(olga, connectors=2)
    with pytest.raises(Invalid) as refusal:
        change(olga, connectors=1)
    assert "connectors" in refusal.value.fields
    assert numbers(station) == [1, 2]


def test_every_act_is_recorded_with_who_and_why(olga):
    register(olga)
    registry.update_station(
        station_id="S-1", changes=StationFacts(enabled=False), by=olga, reason="repair"
    )
    registry.remove_station(station_id="S-1", by=olga, reason="sold")
    entries = LogEntry.objects.filter(user=olga).order_by("pk")
    assert [(e.action_flag, e.change_message) for e in entries] == [
        (1, ""),
        (2, "enabled · repair"),
        (3, "sold"),
    ]


def test_a_refused_removal_leaves_station_and_log_alone(olga, charged_station):
    before = LogEntry.objects.count()
    with pytest.raises(StationInUse):
        registry.remove_station(station_id=charged_station.station_id, by=olga)
    assert Station.objects.filter(pk=charged_station.pk).exists()
    assert LogEntry.objects.count() == before


def test_a_connector_with_a_session_stays(olga, charged_station):
    with pytest.raises(Invalid) as refusal:
        change(olga, charged_station.station_id, connectors=1)
    assert "connectors" in refusal.value.fields


def test_asking_needs_a_live_socket_and_binds_to_it(olga):
    station = register(olga).station
    with pytest.raises(StationOffline):
        registry.ask_station(station=station, action="ClearCache", payload={}, by=olga)
    assert not Command.objects.exists()
    go_online(station)
    command = registry.ask_station(station=station, action="ClearCache", payload={}, by=olga)
    assert (command.fence, command.lane, command.requested_by) == (
        station.fence,
        Command.Lane.ASKED,
        olga,
    )
    assert command.deadline_at > timezone.now()


def test_a_site_with_a_station_stays(olga):
    site = registry.add_site(facts=registry.SiteFacts(name="Bazaar"), by=olga)
    register(olga, site=site)
    with pytest.raises(SiteInUse):
        registry.remove_site(site_id=site.pk, by=olga)
    registry.remove_station(station_id="S-1", by=olga)
    registry.remove_site(site_id=site.pk, by=olga)
    assert not Site.objects.exists()


def test_a_station_that_waits_is_taken_as_it_is_registered(olga):
    Station.objects.create(
        station_id="New-1",
        identity="new-1",
        security_profile=0,
        registration=Station.Registration.PENDING,
    )
    keyed = registry.register_station(facts={"station_id": "NEW-1", "name": "North"}, by=olga)
    station = Station.objects.get()
    assert (station.registration, station.name) == (Station.Registration.ACCEPTED, "North")
    assert station.security_profile == 1
    assert keyed.key
    assert hashlib.sha256(keyed.key.encode()).hexdigest() == station.key_digest
