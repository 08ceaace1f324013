"""Versions of what a scope is sold at: from now, never two at once, and never a change of old."""

import datetime as dt
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing.errors import Invalid
from billing.models import Tariff
from stations import tariffs
from stations.errors import TariffNotFound
from stations.models import Connector, Site, Station, TariffAssignment
from stations.tariffs import Scope
from stations.tests.cast import run_at_once

DEFAULT = Scope()
AN_HOUR = dt.timedelta(hours=1)


def at_price(price, **more):
    return tariffs.Offer(price_per_kwh=Decimal(price), **more)


def price_at(station, connector_id=1, at=None):
    tariff = tariffs.tariff_for(station, connector_id, at or timezone.now())
    return tariff.price_per_kwh if tariff else None


@pytest.fixture
def bare_station(db):
    """A station where nothing is sold yet."""
    site = Site.objects.create(name="Bazaar")
    row = Station.objects.create(station_id="B-1", identity="b-1", site=site)
    Connector.objects.create(station=row, connector_id=1)
    return row


def test_the_most_specific_tariff_applies(bare_station, olga):
    for price, scope in [
        ("10", DEFAULT),
        ("11", Scope(site=bare_station.site)),
        ("12", Scope(station=bare_station)),
        ("13", Scope(connector=bare_station.connectors.get())),
    ]:
        tariffs.assign(scope=scope, offer=at_price(price), by=olga)
        assert price_at(bare_station) == Decimal(price)
    assert price_at(bare_station, connector_id=2) == 12


def test_a_new_version_begins_where_the_old_one_ends(bare_station, olga):
    first = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    second = tariffs.assign(scope=DEFAULT, offer=at_price("11"), by=olga)
    first.refresh_from_db()
    assert first.valid_until == second.valid_from
    assert second.scope_id == first.scope_id
    assert (first.version, second.version) == (1, 2)
    assert price_at(bare_station, at=first.valid_from) == 10
    assert price_at(bare_station, at=second.valid_from) == 11


def test_revising_changes_only_what_is_named_and_writes_a_new_row(bare_station, olga):
    first = tariffs.assign(
        scope=DEFAULT, offer=at_price("10", name="Day", vat_percent=Decimal(12)), by=olga
    )
    second = tariffs.revise(
        scope_id=first.scope_id, changes=at_price("11"), by=olga, reason="costs rose"
    )
    assert second.tariff_id != first.tariff_id
    assert (second.tariff.name, second.tariff.vat_percent) == ("Day", 12)
    assert Tariff.objects.get(pk=first.tariff_id).price_per_kwh == 10
    assert second.tariff.created_by == olga


def test_a_planned_version_waits_for_its_moment(bare_station, olga):
    tomorrow = timezone.now() + 24 * AN_HOUR
    now = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    plan = tariffs.assign(scope=DEFAULT, offer=at_price("14", valid_from=tomorrow), by=olga)
    assert tariffs.find(now.scope_id).tariff.price_per_kwh == 10
    assert price_at(bare_station) == 10
    assert price_at(bare_station, at=tomorrow - dt.timedelta(microseconds=1)) == 10
    assert price_at(bare_station, at=tomorrow) == 14
    assert plan.valid_until is None


def test_a_change_from_now_leaves_what_is_planned(bare_station, olga):
    tomorrow = timezone.now() + 24 * AN_HOUR
    now = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    tariffs.assign(scope=DEFAULT, offer=at_price("14", valid_from=tomorrow), by=olga)
    changed = tariffs.revise(scope_id=now.scope_id, changes=at_price("13"), by=olga)
    assert changed.valid_until == tomorrow
    assert price_at(bare_station) == 13
    assert price_at(bare_station, at=tomorrow + AN_HOUR) == 14


def test_a_plan_may_be_made_after_another_plan(bare_station, olga):
    tomorrow = timezone.now() + 24 * AN_HOUR
    now = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    tariffs.assign(scope=DEFAULT, offer=at_price("14", valid_from=tomorrow), by=olga)
    later = tomorrow + 24 * AN_HOUR
    tariffs.revise(scope_id=now.scope_id, changes=at_price("15", valid_from=later), by=olga)
    prices = [price_at(bare_station, at=at) for at in (timezone.now(), tomorrow, later)]
    assert prices == [10, 14, 15]


def test_a_plan_with_the_same_begin_replaces_the_other(bare_station, olga):
    tomorrow = timezone.now() + 24 * AN_HOUR
    for price in ("14", "15"):
        tariffs.assign(scope=DEFAULT, offer=at_price(price, valid_from=tomorrow), by=olga)
    assert price_at(bare_station, at=tomorrow) == 15
    assert tariffs.find(TariffAssignment.objects.first().scope_id).tariff.price_per_kwh == 15


def test_a_plan_keeps_its_begin_when_its_price_is_revised(bare_station, olga):
    tomorrow = timezone.now() + 24 * AN_HOUR
    plan = tariffs.assign(scope=DEFAULT, offer=at_price("14", valid_from=tomorrow), by=olga)
    revised = tariffs.revise(scope_id=plan.scope_id, changes=at_price("15"), by=olga)
    assert revised.valid_from == tomorrow
    assert price_at(bare_station) is None
    assert price_at(bare_station, at=tomorrow) == 15


def test_a_tariff_that_ends_gives_way_to_the_less_specific_one(bare_station, olga):
    soon = timezone.now() + AN_HOUR
    tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    promotion = at_price("5", valid_until=soon)
    tariffs.assign(scope=Scope(station=bare_station), offer=promotion, by=olga)
    assert price_at(bare_station) == 5
    assert price_at(bare_station, at=soon) == 10


def test_a_stated_end_stays_when_the_price_is_revised(bare_station, olga):
    soon = timezone.now() + AN_HOUR
    first = tariffs.assign(scope=DEFAULT, offer=at_price("5", valid_until=soon), by=olga)
    revised = tariffs.revise(scope_id=first.scope_id, changes=at_price("6"), by=olga)
    assert revised.valid_until == soon


def test_a_tariff_cannot_end_before_it_begins(olga):
    with pytest.raises(Invalid) as refusal:
        tariffs.assign(
            scope=DEFAULT, offer=at_price("5", valid_until=timezone.now() - AN_HOUR), by=olga
        )
    assert "valid_until" in refusal.value.fields


def test_a_past_begin_means_now(bare_station, olga):
    before = timezone.now()
    version = tariffs.assign(
        scope=DEFAULT, offer=at_price("5", valid_from=before - 24 * AN_HOUR), by=olga
    )
    assert version.valid_from >= before


def test_retiring_ends_the_scope_and_its_plans(bare_station, olga):
    tomorrow = timezone.now() + 24 * AN_HOUR
    tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    own = tariffs.assign(scope=Scope(station=bare_station), offer=at_price("12"), by=olga)
    tariffs.revise(scope_id=own.scope_id, changes=at_price("13", valid_from=tomorrow), by=olga)
    tariffs.retire(scope_id=own.scope_id, by=olga, reason="test over")
    assert price_at(bare_station) == 10
    assert price_at(bare_station, at=tomorrow + AN_HOUR) == 10
    with pytest.raises(TariffNotFound):
        tariffs.find(own.scope_id)
    with pytest.raises(TariffNotFound):
        tariffs.revise(scope_id=own.scope_id, changes=at_price("1"), by=olga)
    entry = LogEntry.objects.filter(user=olga).latest("pk")
    assert (entry.is_deletion(), entry.change_message) == (True, "test over")


def test_a_retired_scope_may_be_sold_again_under_its_id(bare_station, olga):
    first = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    tariffs.retire(scope_id=first.scope_id, by=olga)
    again = tariffs.assign(scope=DEFAULT, offer=at_price("11"), by=olga)
    assert (again.scope_id, again.version) == (first.scope_id, 2)
    assert price_at(bare_station) == 11


@pytest.mark.parametrize(
    ("offer", "field"),
    [
        (tariffs.Offer(), "price_per_kwh"),
        (tariffs.Offer(elements=[{}]), "elements.0.price_components"),
        (at_price("1", currency="EUR"), "currency"),
    ],
)
def test_an_offer_that_makes_no_sense_is_refused(db, olga, offer, field):
    with pytest.raises(Invalid) as refusal:
        tariffs.assign(scope=DEFAULT, offer=offer, by=olga)
    assert list(refusal.value.fields) == [field]
    assert not Tariff.objects.exists()


def standing_at_every_begin(scope):
    """How many versions are in force at the moment that each one begins."""
    rows = TariffAssignment.objects.filter(scope=scope)
    return [
        rows.current(row.valid_from).count() for row in rows if row.valid_until != row.valid_from
    ]


@pytest.mark.django_db(transaction=True)
def test_first_versions_at_once_leave_one_current(olga):
    run_at_once(
        *(
            lambda price=price: tariffs.assign(scope=DEFAULT, offer=at_price(price), by=olga)
            for price in range(1, 7)
        )
    )
    rows = TariffAssignment.objects.filter(scope="default")
    assert sorted(rows.values_list("version", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert rows.current().count() == 1
    assert len(set(rows.values_list("scope_id", flat=True))) == 1
    assert set(standing_at_every_begin("default")) == {1}


@pytest.mark.django_db(transaction=True)
def test_revisions_at_once_leave_one_current_and_keep_each_others_changes(olga):
    first = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    changes = [
        tariffs.Offer(name="Night"),
        tariffs.Offer(vat_percent=Decimal(12)),
        tariffs.Offer(parking_grace_s=600),
        tariffs.Offer(price_per_kwh=Decimal(9)),
    ]
    run_at_once(
        *(
            lambda change=change: tariffs.revise(scope_id=first.scope_id, changes=change, by=olga)
            for change in changes
        )
    )
    assert TariffAssignment.objects.current().count() == 1
    tariff = TariffAssignment.objects.current().get().tariff
    assert (tariff.name, tariff.vat_percent, tariff.price_per_kwh) == ("Night", 12, 9)
    assert tariff.terms["parking_grace_s"] == 600


@pytest.mark.django_db(transaction=True)
def test_retiring_and_selling_at_once_leave_one_current_or_none(olga):
    first = tariffs.assign(scope=DEFAULT, offer=at_price("10"), by=olga)
    run_at_once(
        lambda: tariffs.retire(scope_id=first.scope_id, by=olga),
        lambda: tariffs.assign(scope=DEFAULT, offer=at_price("11"), by=olga),
    )
    newest = TariffAssignment.objects.order_by("version").last()
    is_retired_last = newest.valid_until is not None
    assert TariffAssignment.objects.current().count() == (0 if is_retired_last else 1)
    assert newest.tariff.price_per_kwh == 11
