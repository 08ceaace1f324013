"""Tariffs in the back office: assigned, revised and retired; no row is edited."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from billing.models import Tariff
from billing.tests.back_office import errors_of, press, told
from stations.models import Site, TariffAssignment
from stations.tariffs import tariff_for

ASSIGNMENTS = reverse("admin:stations_tariffassignment_changelist")
ASSIGN = f"{ASSIGNMENTS}assign/"
OFFER = {"price_per_kwh": "15.50", "vat_percent": "12", "parking_grace_s": "0"}


def price_at(station, connector_id=None):
    tariff = tariff_for(station, connector_id, timezone.now())
    return tariff.price_per_kwh if tariff else None


def button(version, name):
    return f"{ASSIGNMENTS}{version.pk}/{name}/"


def test_the_list_leads_to_assigning(olgas):
    assert ASSIGN in olgas.get(ASSIGNMENTS).text


def test_a_tariff_is_assigned_to_one_connector(olgas, olga, station):
    assert errors_of(press(olgas, ASSIGN, station=station.pk, **OFFER)).keys() == {"reason"}
    assert Tariff.objects.count() == 1

    place = {"station": station.pk, "connector_id": "2"}
    answer = press(olgas, ASSIGN, reason="new price list", **place, **OFFER)
    assert told(answer)[0].startswith("Assigned")
    assert price_at(station, 2) == Decimal("15.50")
    assert price_at(station, 1) == Decimal("12.50")
    version = TariffAssignment.objects.get(connector__connector_id=2)
    entry = LogEntry.objects.get(object_id=str(version.pk))
    assert (entry.user, entry.change_message) == (olga, "new price list")


def test_a_tariff_is_assigned_to_a_site_or_to_everything(olgas, station):
    station.site = Site.objects.create(name="Osh market")
    station.save(update_fields=["site"])
    press(olgas, ASSIGN, reason="?", **OFFER | {"price_per_kwh": "11"})
    assert price_at(station) == 11
    press(olgas, ASSIGN, reason="?", site=station.site.pk, **OFFER | {"price_per_kwh": "10"})
    assert price_at(station) == 10


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"price_per_kwh": ""}, "price_per_kwh"),
        ({"price_per_kwh": "-1"}, "price_per_kwh"),
        ({"vat_percent": "101"}, "vat_percent"),
        ({"elements": "{}"}, "elements"),
        ({"elements": "["}, "elements"),
        ({"connector_id": "1"}, "__all__"),
        ({"station": "4711"}, "station"),
    ],
)
def test_a_wrong_offer_is_shown_again_with_its_error(olgas, station, values, field):
    answer = press(olgas, ASSIGN, reason="?", **OFFER | values)
    assert errors_of(answer).keys() == {field}
    assert Tariff.objects.count() == 1


def test_a_new_price_is_a_new_version(olgas, olga, station, tariff):
    version = tariff.assignment
    address = button(version, "revise")
    shown = olgas.get(address).context["form"]
    said = {name: shown[name].value() for name in shown.fields if name != "reason"}
    said = {name: value for name, value in said.items() if value is not None}
    answer = press(
        olgas, address, **said | {"price_per_kwh": "13", "elements": "", "reason": "costs"}
    )
    assert told(answer)[0].startswith("There is a new version")
    assert price_at(station) == 13
    tariff.refresh_from_db()
    assert tariff.price_per_kwh == Decimal("12.50")
    newest = TariffAssignment.objects.get(version=2)
    entry = LogEntry.objects.get(object_id=str(newest.pk))
    assert entry.user == olga
    assert entry.change_message.endswith("costs")


def test_a_retired_tariff_sells_nothing_more(olgas, olga, station, tariff):
    press(olgas, button(tariff.assignment, "retire"), reason="renovation")
    assert price_at(station) is None
    assert LogEntry.objects.get().change_message == "renovation"
    answer = press(olgas, button(tariff.assignment, "retire"), reason="renovation")
    assert "There is no such tariff." in answer.text


def test_no_address_edits_a_version(olgas, tariff):
    address = f"{ASSIGNMENTS}{tariff.assignment.pk}/"
    before = list(TariffAssignment.objects.values())
    assert olgas.post(f"{address}change/", {"version": "9", "reason": "?"}).status_code == 403
    assert olgas.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert list(TariffAssignment.objects.values()) == before
