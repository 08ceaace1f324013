"""/ocpp/tariffs: scopes and versions, who writes, and what a charge would cost."""

import datetime as dt
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing.models import Tariff
from stations.models import Connector, Site, Station, TariffAssignment
from stations.tests.cast import signed_in

PATH = "/ocpp/tariffs"
PLAIN = {"station_id": None, "price_per_kwh": "12.50", "currency": "KGS"}
BY_DAY = {
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": 20, "vat": 0, "step_size": 1}],
            "restrictions": {"start_time": "08:00", "end_time": "20:00"},
        },
        {"price_components": [{"type": "ENERGY", "price": 10, "vat": 0, "step_size": 1}]},
    ]
}


@pytest.fixture
def staff(olga):
    return signed_in(olga)


@pytest.fixture
def driver(alice):
    return signed_in(alice)


@pytest.fixture
def place(db):
    """B-1 with two connectors at the Bazaar; nothing is sold anywhere."""
    site = Site.objects.create(name="Bazaar")
    row = Station.objects.create(station_id="B-1", identity="b-1", site=site)
    for number in (1, 2):
        Connector.objects.create(station=row, connector_id=number)
    return row


def fields_of(answer):
    assert answer.status_code == 400, answer.json()
    assert answer.json()["code"] == "invalid"
    return set(answer.json()["fields"])


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_default_tariff(staff, slash):
    answer = staff.post(PATH + slash, PLAIN)
    assert answer.status_code == 201
    body = answer.json()
    version = TariffAssignment.objects.get()
    assert body == {
        "id": str(version.scope_id),
        "version": 1,
        "station_id": None,
        "connector_id": None,
        "site_id": None,
        "name": None,
        "price_per_kwh": "12.50",
        "currency": "KGS",
        "vat_percent": "0.00",
        "elements": [],
        "min_price": None,
        "max_price": None,
        "parking_grace_s": 0,
        "valid_from": version.valid_from.isoformat().replace("+00:00", "Z"),
        "valid_until": None,
    }
    assert staff.get(f"{PATH}/{body['id']}{slash}").json() == body


def test_a_price_may_be_a_number_and_finer_than_money(staff):
    body = staff.post(PATH, {"price_per_kwh": 12.505}).json()
    assert (body["price_per_kwh"], body["currency"]) == ("12.505", "KGS")


def test_a_tariff_of_elements(staff):
    facts = BY_DAY | {
        "name": "Day and night",
        "vat_percent": "12.00",
        "min_price": {"excl_vat": "10.00", "incl_vat": "11.20"},
        "max_price": {"excl_vat": "1000.00", "incl_vat": "1120.00"},
        "parking_grace_s": 600,
    }
    answer = staff.post(PATH, facts)
    assert answer.status_code == 201
    body = answer.json()
    assert {name: body[name] for name in facts} == facts
    assert body["price_per_kwh"] is None


@pytest.mark.parametrize(
    ("where", "scope"),
    [
        ({}, "default"),
        ({"station_id": None, "site_id": None, "connector_id": None}, "default"),
        ({"site_id": 0}, "site"),
        ({"station_id": "b-1"}, "station"),
        ({"station_id": "B-1", "connector_id": 2}, "connector"),
    ],
)
def test_each_scope_has_its_tariff(staff, place, where, scope):
    if "site_id" in where and where["site_id"] is not None:
        where = {"site_id": place.site_id}
    body = staff.post(PATH, PLAIN | where).json()
    assert TariffAssignment.objects.get().scope.split(":")[0] == scope
    assert body["station_id"] == ("B-1" if "b-1" in str(where).lower() else None)
    assert body["connector_id"] == where.get("connector_id")
    assert body["site_id"] == where.get("site_id")
    assert staff.get(f"{PATH}?scope={scope}").json()["results"] == [body]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"station_id": "B-9"}, "station_id"),
        ({"station_id": "B-1", "connector_id": 9}, "connector_id"),
        ({"station_id": "B-1", "connector_id": 0}, "connector_id"),
        ({"connector_id": 1}, "station_id"),
        ({"station_id": "B-1", "site_id": 1}, "site_id"),
        ({"site_id": 999_999}, "site_id"),
        ({"site_id": 10**30}, "site_id"),
        ({"price_per_kwh": None}, "price_per_kwh"),
        ({"price_per_kwh": None, "elements": []}, "price_per_kwh"),
        ({"price_per_kwh": -1}, "price_per_kwh"),
        ({"price_per_kwh": "1.0000001"}, "price_per_kwh"),
        ({"price_per_kwh": "1e3"}, "price_per_kwh"),
        ({"price_per_kwh": "free"}, "price_per_kwh"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "kgs"}, "currency"),
        ({"vat_percent": 101}, "vat_percent"),
        ({"elements": {}}, "elements"),
        ({"elements": ["\u0000"]}, "elements"),
        ({"elements": [{"price_components": []}]}, "elements.0.price_components"),
        (
            {"elements": [{"price_components": [{"type": "LOVE", "price": 1}]}]},
            "elements.0.price_components.0.type",
        ),
        ({"min_price": {"excl_vat": "2.00"}, "max_price": {"excl_vat": "1.00"}}, "min_price"),
        ({"min_price": {}}, "min_price"),
        ({"parking_grace_s": -1}, "parking_grace_s"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, "valid_until"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(staff, place, change, field):
    assert fields_of(staff.post(PATH, PLAIN | change)) == {field}
    assert not Tariff.objects.exists()
    assert not TariffAssignment.objects.exists()


def test_another_tariff_for_a_scope_is_its_new_version_under_its_id(staff):
    first = staff.post(PATH, PLAIN).json()
    second = staff.post(PATH, PLAIN | {"price_per_kwh": 15}).json()
    assert (second["id"], second["version"]) == (first["id"], 2)
    assert staff.get(PATH).json()["results"] == [second]
    assert Tariff.objects.count() == 2


def test_a_patch_is_a_new_version_that_changes_what_it_names(staff, olga):
    first = staff.post(PATH, PLAIN | {"name": "Day", "vat_percent": 12}).json()
    answer = staff.patch(f"{PATH}/{first['id']}", {"price_per_kwh": "13", "name": None})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["id"], body["version"], body["price_per_kwh"]) == (first["id"], 2, "13.00")
    assert (body["name"], body["vat_percent"]) == (None, "12.00")
    entry = LogEntry.objects.latest("pk")
    assert (entry.user, entry.change_message) == (olga, "name, price_per_kwh")


def test_null_clears_what_may_be_missing(staff):
    more = {"vat_percent": 12, "parking_grace_s": 60, "min_price": {"incl_vat": "5.00"}}
    first = staff.post(PATH, PLAIN | more).json()
    assert first["min_price"] == {"incl_vat": "5.00"}
    cleared = dict.fromkeys((*more, "currency", "elements", "valid_until"))
    body = staff.patch(f"{PATH}/{first['id']}", cleared).json()
    assert (body["vat_percent"], body["parking_grace_s"], body["min_price"]) == ("0.00", 0, None)
    assert (body["currency"], body["price_per_kwh"]) == ("KGS", "12.50")


def test_a_put_replaces_the_terms_and_stays_where_it_is(staff, place):
    first = staff.post(PATH, PLAIN | {"station_id": "B-1", "name": "Day"}).json()
    body = staff.put(f"{PATH}/{first['id']}", BY_DAY).json()
    assert (body["station_id"], body["name"], body["price_per_kwh"]) == ("B-1", None, None)
    assert body["elements"] == BY_DAY["elements"]
    assert fields_of(staff.put(f"{PATH}/{first['id']}", {"name": "No price"})) == {"price_per_kwh"}


def test_a_tariff_stays_where_it_is_sold(staff, place):
    own = staff.post(PATH, PLAIN | {"station_id": "B-1"}).json()
    path = f"{PATH}/{own['id']}"
    assert staff.patch(path, {"station_id": "b-1", "price_per_kwh": 1}).status_code == 200
    assert fields_of(staff.patch(path, {"station_id": None})) == {"station_id"}
    assert fields_of(staff.patch(path, {"connector_id": 1})) == {"connector_id"}


def test_a_planned_tariff_is_told_and_the_present_one_ends_there(staff):
    first = staff.post(PATH, PLAIN).json()
    tomorrow = (timezone.now() + dt.timedelta(days=1)).isoformat()
    plan = staff.patch(f"{PATH}/{first['id']}", {"price_per_kwh": 14, "valid_from": tomorrow})
    assert plan.json()["valid_from"] == tomorrow.replace("+00:00", "Z")
    shown = staff.get(f"{PATH}/{first['id']}").json()
    assert (shown["version"], shown["valid_until"]) == (1, plan.json()["valid_from"])


def test_all_versions_are_told(driver, staff):
    first = staff.post(PATH, PLAIN).json()
    for price in (13, 14):
        staff.patch(f"{PATH}/{first['id']}", {"price_per_kwh": price})
    staff.delete(f"{PATH}/{first['id']}")
    body = driver.get(f"{PATH}/{first['id']}/versions").json()
    assert [row["version"] for row in body["results"]] == [3, 2, 1]
    assert driver.get(f"{PATH}/{uuid.uuid4()}/versions").status_code == 404


def test_a_deleted_tariff_is_gone_and_the_less_specific_one_applies(staff, place):
    staff.post(PATH, PLAIN)
    own = staff.post(PATH, PLAIN | {"station_id": "B-1"}).json()
    assert staff.delete(f"{PATH}/{own['id']}?reason=over").status_code == 204
    answer = staff.get(f"{PATH}/{own['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "tariff_not_found")
    assert staff.delete(f"{PATH}/{own['id']}").status_code == 404
    assert staff.patch(f"{PATH}/{own['id']}", {"name": "x"}).status_code == 404
    assert staff.get(PATH).json()["count"] == 1
    assert LogEntry.objects.latest("pk").change_message == "over"


@pytest.mark.parametrize("tariff_id", [str(uuid.uuid4()), "7", "x"])
def test_an_unknown_tariff_is_not_found(driver, tariff_id):
    assert driver.get(f"{PATH}/{tariff_id}").status_code == 404


def test_a_list_is_filtered_by_station_and_site(driver, staff, place):
    for where in (
        {},
        {"site_id": place.site_id},
        {"station_id": "B-1"},
        {"station_id": "B-1", "connector_id": 1},
    ):
        assert staff.post(PATH, PLAIN | where).status_code == 201
    assert driver.get(PATH).json()["count"] == 4
    found = driver.get(f"{PATH}?station_id=b-1").json()["results"]
    assert {row["connector_id"] for row in found} == {None, 1}
    found = driver.get(f"{PATH}?site_id={place.site_id}").json()["results"]
    assert [row["site_id"] for row in found] == [place.site_id]
    assert fields_of(driver.get(f"{PATH}?scope=planet")) == {"scope"}


def test_a_list_asks_as_often_for_many_tariffs_as_for_one(
    driver, staff, place, django_assert_num_queries
):
    # the token, the count, the versions with what is sold and where
    for where in ({}, {"station_id": "B-1"}, {"station_id": "B-1", "connector_id": 1}):
        staff.post(PATH, PLAIN | where)
        with django_assert_num_queries(3):
            driver.get(PATH)


def test_drivers_read_and_do_not_write(driver, staff):
    body = staff.post(PATH, PLAIN).json()
    assert driver.get(f"{PATH}/{body['id']}").json() == body
    assert driver.get(PATH).json()["results"] == [body]
    for method, path in [
        (driver.post, PATH),
        (driver.put, f"{PATH}/{body['id']}"),
        (driver.patch, f"{PATH}/{body['id']}"),
        (driver.delete, f"{PATH}/{body['id']}"),
    ]:
        assert method(path, PLAIN).status_code == 403
    assert TariffAssignment.objects.count() == 1


def test_strangers_are_not_let_in(db):
    stranger = signed_in()
    one = f"{PATH}/{uuid.uuid4()}"
    for method, path in [
        (stranger.get, PATH),
        (stranger.post, PATH),
        (stranger.get, one),
        (stranger.put, one),
        (stranger.patch, one),
        (stranger.delete, one),
        (stranger.get, f"{one}/versions"),
        (stranger.post, f"{PATH}/preview"),
    ]:
        assert method(path).status_code == 401


def period(start, end, energy_wh, **more):
    return {"start": start, "end": end, "energy_wh": energy_wh} | more


MORNING = period("2026-06-01T01:00:00Z", "2026-06-01T03:00:00Z", 10_000)
"""In Bishkek 07:00 to 09:00: half of it before eight."""


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_preview_prices_a_plain_tariff(driver, slash):
    answer = driver.post(f"{PATH}/preview{slash}", {"tariff": PLAIN, "periods": [MORNING]})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["total"], body["tax"], body["currency"]) == ("125.00", "0.00", "KGS")
    line = body["lines"][0]
    assert (line["type"], line["unit"], line["amount"]) == ("ENERGY", "kWh", "125.00")
    assert not Tariff.objects.exists()


@pytest.mark.parametrize(
    ("zone", "total"),
    # 5 kWh at 10 and 5 at 20; all at 10; all at 20
    [(None, "150.00"), ("Asia/Bishkek", "150.00"), ("UTC", "100.00"), ("Asia/Tokyo", "200.00")],
)
def test_a_preview_knows_the_time_of_day_of_the_zone(driver, zone, total):
    asked = {"tariff": BY_DAY, "periods": [MORNING], "time_zone": zone}
    assert driver.post(f"{PATH}/preview", asked).json()["total"] == total


def test_a_preview_takes_the_zone_of_the_station(driver, place):
    Station.objects.filter(pk=place.pk).update(time_zone="Asia/Tokyo")
    asked = {"tariff": BY_DAY | {"station_id": "B-1"}, "periods": [MORNING]}
    assert driver.post(f"{PATH}/preview", asked).json()["total"] == "200.00"


def test_a_preview_of_a_stored_tariff(driver, staff):
    stored = staff.post(PATH, PLAIN).json()
    asked = {"tariff": stored["id"], "periods": [MORNING]}
    assert driver.post(f"{PATH}/preview", asked).json()["total"] == "125.00"
    answer = driver.post(f"{PATH}/preview", asked | {"tariff": str(uuid.uuid4())})
    assert (answer.status_code, answer.json()["code"]) == (404, "tariff_not_found")


def test_a_preview_bills_parking_after_the_grace(driver):
    tariff = {
        "elements": [{"price_components": [{"type": "PARKING_TIME", "price": 60, "step_size": 1}]}],
        "parking_grace_s": 1800,
    }
    parked = period("2026-06-01T03:00:00Z", "2026-06-01T04:00:00Z", 0, state="parking")
    asked = {"tariff": tariff, "periods": [MORNING, parked]}
    body = driver.post(f"{PATH}/preview", asked).json()
    assert [(line["type"], line["amount"]) for line in body["lines"]] == [("PARKING_TIME", "30.00")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tariff": {}}, "tariff.price_per_kwh"),
        ({"tariff": 7}, "tariff.non_field_errors"),
        ({"tariff": "x"}, "tariff"),
        ({"tariff": {"price_per_kwh": -1}}, "tariff.price_per_kwh"),
        ({"tariff": {"elements": [{}]}}, "tariff.elements.0.price_components"),
        ({"tariff": PLAIN | {"station_id": "B-9"}}, "tariff.station_id"),
        ({"periods": []}, "periods"),
        ({"periods": [MORNING | {"energy_wh": -1}]}, "periods.0.energy_wh"),
        ({"periods": [MORNING | {"state": "idle"}]}, "periods.0.state"),
        ({"periods": [MORNING, MORNING]}, "periods"),
        ({"periods": [MORNING | {"end": "2026-06-01T00:00:00Z"}]}, "periods"),
        ({"periods": [MORNING | {"end": "2026-07-10T00:00:00Z"}]}, "periods"),
        ({"periods": [MORNING] * 1001}, "periods"),
        ({"time_zone": "Asia/Nowhere"}, "time_zone"),
    ],
)
def test_a_preview_that_makes_no_sense_is_refused_by_field(driver, change, field):
    asked = {"tariff": PLAIN, "periods": [MORNING]} | change
    assert fields_of(driver.post(f"{PATH}/preview", asked)) == {field}
