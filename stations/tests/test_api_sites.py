"""/ocpp/sites: where stations stand."""

import pytest
from django.contrib.admin.models import LogEntry

from stations.models import Site
from stations.tests.cast import signed_in

PATH = "/ocpp/sites"
NEW = {"name": "Bazaar", "address": "Chüy 1", "latitude": "42.874600", "longitude": 74.5698}


@pytest.fixture
def staff(olga):
    return signed_in(olga)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_site_is_made_read_changed_and_deleted(staff, slash):
    answer = staff.post(PATH + slash, NEW)
    assert answer.status_code == 201
    body = answer.json()
    site = Site.objects.get()
    assert body == NEW | {"id": site.pk, "longitude": "74.569800"}
    one = f"{PATH}/{site.pk}{slash}"
    assert staff.get(one).json() == body
    assert staff.get(PATH + slash).json()["results"] == [body]
    assert staff.patch(one, {"address": None}).json() == body | {"address": None}
    put = staff.put(one, {"name": "Market"}).json()
    assert put == {
        "id": site.pk,
        "name": "Market",
        "address": None,
        "latitude": None,
        "longitude": None,
    }
    assert staff.delete(one).status_code == 204
    assert staff.get(one).status_code == 404
    assert [entry.action_flag for entry in LogEntry.objects.order_by("pk")] == [1, 2, 2, 3]


def test_a_site_with_a_station_stays(staff):
    site_id = staff.post(PATH, NEW).json()["id"]
    staff.post("/ocpp/stations", {"station_id": "S-1", "site_id": site_id})
    answer = staff.delete(f"{PATH}/{site_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "site_in_use")


@pytest.mark.parametrize("change", [{"name": ""}, {"name": None}, {"latitude": 91}])
def test_what_makes_no_sense_is_refused_by_field(staff, change):
    answer = staff.post(PATH, NEW | change)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, set(change))


def test_drivers_read_and_do_not_write(staff, alice):
    site_id = staff.post(PATH, NEW).json()["id"]
    driver, stranger = signed_in(alice), signed_in()
    assert driver.get(f"{PATH}/{site_id}").status_code == 200
    assert driver.get(PATH).json()["count"] == 1
    for caller, status in ((driver, 403), (stranger, 401)):
        assert caller.post(PATH, NEW).status_code == status
        assert caller.put(f"{PATH}/{site_id}", NEW).status_code == status
        assert caller.patch(f"{PATH}/{site_id}", NEW).status_code == status
        assert caller.delete(f"{PATH}/{site_id}").status_code == status
    assert stranger.get(PATH).status_code == 401
    assert stranger.get(f"{PATH}/{site_id}").status_code == 401
    assert driver.get(f"{PATH}/999999").status_code == 404
    assert driver.get(f"{PATH}/{10**30}").status_code == 404
