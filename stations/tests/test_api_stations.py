"""/ocpp/stations: who reads and writes, what is answered, and what a change leaves alone."""

import hashlib
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing.models import IdempotentRequest
from stations import registry
from stations.models import Connector, Site, Station
from stations.models.station import LEASE
from stations.tests.cast import go_online, signed_in
from stations.tests.test_registry import charged_station

PATH = "/ocpp/stations"
NEW = {"station_id": "S-1", "name": "Bazaar 1", "connectors": 2}

__all__ = ["charged_station"]


@pytest.fixture
def staff(olga):
    return signed_in(olga)


@pytest.fixture
def driver(alice):
    return signed_in(alice)


def fields_of(answer):
    assert answer.status_code == 400, answer.json()
    assert answer.json()["code"] == "invalid"
    return set(answer.json()["fields"])


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_new_station_is_answered_with_its_key_this_once(staff, slash):
    answer = staff.post(PATH + slash, NEW)
    assert answer.status_code == 201
    body = answer.json()
    key = body.pop("key")
    assert Station.objects.get().key_digest == hashlib.sha256(key.encode()).hexdigest()
    created_at = body.pop("created_at")
    assert created_at.endswith("Z")
    assert body == {
        "station_id": "S-1",
        "name": "Bazaar 1",
        "site_id": None,
        "address": None,
        "latitude": None,
        "longitude": None,
        "time_zone": None,
        "enabled": True,
        "max_power_kw": None,
        "security_profile": 1,
        "registration": "Accepted",
        "online": False,
        "connectors": [
            {"connector_id": 1, "status": "Unknown"},
            {"connector_id": 2, "status": "Unknown"},
        ],
        "last_seen_at": None,
        "connected_at": None,
        "booted_at": None,
        "subprotocol": None,
        "vendor": None,
        "model": None,
        "serial_number": None,
        "firmware_version": None,
    }
    shown = staff.get(f"{PATH}/S-1{slash}")
    assert shown.json() == body | {"created_at": created_at}


def test_a_station_with_everything(staff):
    site = Site.objects.create(name="Bazaar")
    facts = {
        "address": "Chüy 1",
        "latitude": "42.874600",
        "longitude": "74.569800",
        "time_zone": "Asia/Bishkek",
        "enabled": False,
        "max_power_kw": "22.00",
        "site_id": site.pk,
        "security_profile": 2,
    }
    answer = staff.post(PATH, NEW | facts | {"key": "a key of mine", "max_power_kw": 22})
    assert answer.status_code == 201
    assert answer.json()["key"] == "a key of mine"
    assert {name: answer.json()[name] for name in facts} == facts


def test_one_connector_and_no_key_for_profile_0(staff):
    answer = staff.post(PATH, {"station_id": "S-0", "security_profile": 0})
    assert answer.status_code == 201
    assert answer.json()["key"] is None
    assert [row["connector_id"] for row in answer.json()["connectors"]] == [1]


def test_a_duplicate_in_another_case_is_refused(staff):
    staff.post(PATH, NEW)
    assert fields_of(staff.post(PATH, {"station_id": "s-1"})) == {"station_id"}
    assert Station.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"station_id": ""}, "station_id"),
        ({"station_id": None}, "station_id"),
        ({"station_id": "a/b"}, "station_id"),
        ({"station_id": "a\tb"}, "station_id"),
        ({"station_id": "a\u0000b"}, "station_id"),
        ({"station_id": "x" * 49}, "station_id"),
        ({"connectors": 0}, "connectors"),
        ({"connectors": 101}, "connectors"),
        ({"connectors": None}, "connectors"),
        ({"security_profile": 4}, "security_profile"),
        ({"security_profile": -1}, "security_profile"),
        ({"key": "1234567"}, "key"),
        ({"key": "x" * 41}, "key"),
        ({"key": "12345678", "security_profile": 0}, "key"),
        ({"max_power_kw": 0}, "max_power_kw"),
        ({"max_power_kw": "1_0"}, "max_power_kw"),
        ({"max_power_kw": True}, "max_power_kw"),
        ({"max_power_kw": "NaN"}, "max_power_kw"),
        ({"site_id": 99}, "site_id"),
        ({"site_id": 10**30}, "site_id"),
        ({"latitude": 90.1}, "latitude"),
        ({"longitude": -180.1}, "longitude"),
        ({"time_zone": "Asia/Nowhere"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"name": "x" * 121}, "name"),
        ({"registration": "Maybe"}, "registration"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(staff, change, field):
    assert fields_of(staff.post(PATH, NEW | change)) == {field}
    assert not Station.objects.exists()


@pytest.mark.parametrize("body", [[], "S-1", None, 7])
def test_a_body_that_is_no_object_is_refused(staff, body):
    assert staff.post(PATH, body, format="json").status_code == 400


@pytest.mark.parametrize(
    "identity", ["x" * 48, "Станция №1", "a b", "50%", "a?b#c", "é", "a\\b", ".hidden", "1"]
)
def test_any_printable_identity_is_found_by_its_percent_encoded_path(staff, identity):
    assert staff.post(PATH, {"station_id": identity}).status_code == 201
    for spelling in (identity, identity.upper()):
        answer = staff.get(f"{PATH}/{quote(spelling, safe='')}")
        assert answer.json()["station_id"] == identity


def test_unknown_and_impossible_identities_are_not_found(staff):
    for path in ("S-9", "S%00", "%0A", "x" * 300, "a%2Fb"):
        answer = staff.get(f"{PATH}/{path}")
        assert (answer.status_code, set(answer.json())) == (404, {"code", "detail"})
    assert staff.get(f"{PATH}/S-9").json()["code"] == "station_not_found"


def test_a_patch_changes_only_what_it_names_and_null_clears(staff):
    staff.post(PATH, NEW | {"max_power_kw": 22, "address": "Chüy 1", "latitude": 42})
    answer = staff.patch(f"{PATH}/s-1", {"max_power_kw": None, "address": None, "enabled": False})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["max_power_kw"], body["address"], body["enabled"]) == (None, None, False)
    assert (body["name"], body["latitude"]) == ("Bazaar 1", "42.000000")
    assert len(body["connectors"]) == 2
    assert "key" not in body


def test_a_put_replaces_what_describes_and_keeps_hardware_and_key(staff):
    staff.post(PATH, NEW | {"max_power_kw": 22, "security_profile": 2, "enabled": False})
    digest = Station.objects.get().key_digest
    answer = staff.put(f"{PATH}/S-1", {"station_id": "S-1", "address": "Chüy 2"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["name"], body["max_power_kw"], body["enabled"]) == (None, None, True)
    assert (body["address"], body["security_profile"]) == ("Chüy 2", 2)
    assert len(body["connectors"]) == 2
    assert Station.objects.get().key_digest == digest


def test_a_patched_key_is_stored_and_not_told(staff):
    staff.post(PATH, NEW)
    answer = staff.patch(f"{PATH}/S-1", {"key": "a key of mine"})
    assert "key" not in answer.json()
    assert Station.objects.get().key_digest == hashlib.sha256(b"a key of mine").hexdigest()


def test_a_null_key_makes_a_new_one_and_tells_it(staff):
    old = staff.post(PATH, NEW).json()["key"]
    new = staff.patch(f"{PATH}/S-1", {"key": None}).json()["key"]
    assert new != old
    assert Station.objects.get().key_digest == hashlib.sha256(new.encode()).hexdigest()


def test_another_identity_is_refused(staff):
    staff.post(PATH, NEW)
    assert fields_of(staff.patch(f"{PATH}/S-1", {"station_id": "S-2"})) == {"station_id"}


def test_connectors_come_and_go(staff):
    staff.post(PATH, NEW)
    for count in (4, 1):
        body = staff.patch(f"{PATH}/S-1", {"connectors": count}).json()
        assert [row["connector_id"] for row in body["connectors"]] == list(range(1, count + 1))


def test_a_station_with_sessions_stays(staff, charged_station):
    assert fields_of(staff.patch(f"{PATH}/K-1", {"connectors": 1})) == {"connectors"}
    answer = staff.delete(f"{PATH}/K-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "station_in_use")
    assert "enabled" in answer.json()["detail"]
    assert staff.patch(f"{PATH}/K-1", {"enabled": False}).json()["enabled"] is False


def test_deleting_says_who_and_why(staff, olga):
    staff.post(PATH, NEW)
    assert staff.delete(f"{PATH}/S-1?reason=sold").status_code == 204
    assert staff.get(f"{PATH}/S-1").status_code == 404
    entry = LogEntry.objects.latest("pk")
    assert (entry.user, entry.change_message) == (olga, "sold")


def test_a_reason_that_cannot_be_stored_is_refused(staff):
    staff.post(PATH, NEW)
    assert staff.delete(f"{PATH}/S-1?reason=%00").status_code == 400
    assert Station.objects.exists()


def test_a_repeated_registration_with_one_key_is_answered_alike(staff):
    header = {"HTTP_IDEMPOTENCY_KEY": "once"}
    first, again = (staff.post(PATH, NEW, **header) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert (Station.objects.count(), IdempotentRequest.objects.count()) == (1, 1)


def test_drivers_read_and_do_not_write(driver, staff):
    staff.post(PATH, NEW)
    body = driver.get(f"{PATH}/S-1").json()
    assert "key" not in str(body)
    assert driver.get(PATH).json()["results"] == [body]
    for method, path in [
        (driver.post, PATH),
        (driver.put, f"{PATH}/S-1"),
        (driver.patch, f"{PATH}/S-1"),
        (driver.delete, f"{PATH}/S-1"),
    ]:
        answer = method(path, {"station_id": "S-1"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_strangers_are_not_let_in(db):
    stranger = signed_in()
    for method, path in [
        (stranger.get, PATH),
        (stranger.post, PATH),
        (stranger.get, f"{PATH}/S-1"),
        (stranger.put, f"{PATH}/S-1"),
        (stranger.patch, f"{PATH}/S-1"),
        (stranger.delete, f"{PATH}/S-1"),
    ]:
        assert method(path).status_code == 401


def test_what_waits_for_approval_is_for_staff(driver, staff, olga):
    staff.post(PATH, NEW)
    staff.patch(f"{PATH}/S-1", {"registration": "Pending"})
    assert driver.get(f"{PATH}/S-1").status_code == 404
    assert driver.get(PATH).json()["count"] == 0
    assert staff.get(PATH).json()["count"] == 1
    staff.patch(f"{PATH}/S-1", {"registration": "Accepted"})
    assert driver.get(f"{PATH}/S-1").status_code == 200


def test_online_means_that_the_lease_of_its_process_is_fresh(driver, station):
    go_online(station)
    assert driver.get(f"{PATH}/K-1").json()["online"] is True
    station.owner.lease_at = timezone.now() - LEASE
    station.owner.save()
    assert driver.get(f"{PATH}/K-1").json()["online"] is False


@pytest.fixture
def three(olga):
    """One online and charging, one disabled at a site, one plain."""
    site = Site.objects.create(name="Bazaar")
    for facts in (
        {"station_id": "A-1", "name": "Airport", "connectors": 2},
        {"station_id": "B-1", "site": site, "enabled": False},
        {"station_id": "C-1", "address": "Chüy avenue"},
    ):
        registry.register_station(facts=registry.StationFacts(**facts), by=olga)
    airport = registry.find("A-1")
    go_online(airport)
    airport.connectors.update(status=Connector.Status.CHARGING)
    return site


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "A-1 B-1 C-1"),
        ("online=true", "A-1"),
        ("online=false", "B-1 C-1"),
        ("enabled=false", "B-1"),
        ("status=Charging", "A-1"),
        ("status=Unknown", "B-1 C-1"),
        ("search=a-1", "A-1"),
        ("search=avenue", "C-1"),
        ("search=AIRPORT", "A-1"),
        ("ordering=-station_id", "C-1 B-1 A-1"),
        ("ordering=key_digest", "A-1 B-1 C-1"),
        ("site_id=0", ""),
    ],
)
def test_lists_are_filtered_and_ordered(driver, three, query, expected):
    body = driver.get(f"{PATH}?{query}").json()
    assert " ".join(row["station_id"] for row in body["results"]) == expected
    assert body["count"] == len(expected.split())


def test_the_stations_of_a_site(driver, three):
    body = driver.get(f"{PATH}?site_id={three.pk}").json()
    assert [row["station_id"] for row in body["results"]] == ["B-1"]


@pytest.mark.parametrize(
    "query", ["status=Broken", "site_id=x", "site_id=1.5", f"site_id={10**30}", "search=%00"]
)
def test_a_filter_that_makes_no_sense_is_refused(driver, query):
    assert fields_of(driver.get(f"{PATH}?{query}")) == {query.split("=")[0]}


def test_pages(driver, three):
    body = driver.get(f"{PATH}?page_size=2").json()
    assert (body["count"], len(body["results"]), body["previous"]) == (3, 2, None)
    body = driver.get(body["next"]).json()
    assert ([row["station_id"] for row in body["results"]], body["next"]) == (["C-1"], None)


def test_a_list_asks_as_often_for_many_stations_as_for_one(
    driver, three, django_assert_num_queries
):
    # the token, the count, the stations with their owners, the connectors
    for query in ("search=a-1", ""):
        with django_assert_num_queries(4):
            driver.get(f"{PATH}?{query}")
