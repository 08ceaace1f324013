"""Uptime: worked examples that add up by hand, and what must not count."""

import datetime as dt
import itertools
import zoneinfo
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import Invalid, NotFound
from stations import presence, registry
from stations.models import (
    Connector,
    ConnectorStatus,
    GatewayProcess,
    Site,
    Station,
    StationChange,
    UptimeExclusion,
    UptimeMonth,
)
from stations.tests.cast import signed_in
from stations.uptime import exclusions, history, months
from stations.uptime.spans import merge, overlap, total_s, without

UTC = dt.UTC
HOUR = 3600
AUGUST = dt.date(2026, 8, 1)
AFTER = dt.datetime(2026, 9, 10, tzinfo=UTC)


def at(day, hour=0, minute=0, second=0, *, month=8):
    return dt.datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def k1(station, settings):
    """K-1 in UTC, connected since July."""
    settings.CSMS_TIME_ZONE = "UTC"
    history.note([station.pk], is_on=True, at=at(1, month=7))
    return station


def away(station, began, ended):
    history.note([station.pk], is_on=False, at=began)
    history.note([station.pk], is_on=True, at=ended)


def said(station, status, moment, *, connector_id=1):
    ConnectorStatus.objects.create(
        station=station, connector_id=connector_id, status=status, at=moment, received_at=moment
    )


def month_of(station, *, connector_id=1, month=AUGUST, now=AFTER):
    months.compute([station.pk], month, now)
    return UptimeMonth.objects.get(station=station, connector_id=connector_id, month=month)


def exclude(station, began, ended, by, **more):
    values = {"connector_id": None, "category": "utility", "reason": "storm"} | more
    return exclusions.exclude(station=station, began_at=began, ended_at=ended, by=by, **values)


# --- Worked examples ------------------------------------------------------------------------------


def test_31_days_with_3_h_43_min_12_s_offline_are_99_5_percent(k1):
    away(k1, at(10, 12), at(10, 15, 43, 12))
    row = month_of(k1)
    assert row.counted_s == 31 * 86_400 == 2_678_400
    assert row.outage_s == row.offline_s == 13_392
    assert row.uptime_percent == Decimal("99.500")


def test_a_month_without_an_outage_is_100_percent(k1):
    row = month_of(k1)
    assert (row.outage_s, row.outage_count, row.uptime_percent) == (0, 0, Decimal(100))


def test_a_station_that_never_came_back_is_down_to_the_end(k1):
    history.note([k1.pk], is_on=False, at=at(31))
    assert month_of(k1).outage_s == 24 * HOUR
    assert month_of(k1, month=dt.date(2026, 9, 1)).uptime_percent == 0


@pytest.mark.parametrize("status", ["Faulted", "Unavailable"])
def test_a_connector_that_is_out_of_order_is_down_and_its_neighbour_is_not(k1, status):
    said(k1, status, at(5, 10))
    said(k1, "Available", at(5, 16))
    row = month_of(k1)
    assert (row.inoperative_s, row.offline_s, row.outage_s) == (6 * HOUR, 0, 6 * HOUR)
    assert month_of(k1, connector_id=2).outage_s == 0


@pytest.mark.parametrize(
    "status",
    ["Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved"],
)
def test_in_use_is_up(k1, status):
    said(k1, status, at(5))
    assert month_of(k1).outage_s == 0


def test_a_fault_of_the_station_is_one_of_each_connector(k1):
    said(k1, "Faulted", at(5, 10), connector_id=0)
    said(k1, "Available", at(5, 11), connector_id=0)
    assert month_of(k1).outage_s == month_of(k1, connector_id=2).outage_s == HOUR


def test_outages_that_overlap_count_once(k1):
    said(k1, "Faulted", at(5, 10))  # 10:00 to 14:00
    said(k1, "Faulted", at(5, 9), connector_id=0)  # 9:00 to 11:00
    said(k1, "Available", at(5, 11), connector_id=0)
    away(k1, at(5, 13), at(5, 16))
    said(k1, "Available", at(5, 14))
    row = month_of(k1)
    assert row.outage_s == 7 * HOUR  # 9:00 to 16:00
    assert (row.offline_s, row.inoperative_s) == (3 * HOUR, 4 * HOUR)
    assert row.outage_count == 1


def test_an_outage_over_the_end_of_a_month_is_split(k1):
    away(k1, at(31, 22), at(1, 3, month=9))
    assert month_of(k1).outage_s == 2 * HOUR
    assert month_of(k1, month=dt.date(2026, 9, 1)).outage_s == 3 * HOUR


def test_a_fault_from_before_the_month_lasts_into_it(k1):
    said(k1, "Faulted", at(20, month=7))
    said(k1, "Available", at(1, 5))
    assert month_of(k1).outage_s == 5 * HOUR


def test_the_present_month_counts_up_to_now(k1):
    away(k1, at(2, 6), at(2, 12))
    row = month_of(k1, now=at(3))
    assert (row.counted_s, row.outage_s, row.is_final) == (48 * HOUR, 6 * HOUR, False)
    assert row.uptime_percent == Decimal("87.500")


# --- What is not counted --------------------------------------------------------------------------


def test_before_it_was_first_seen_nothing_counts(station, settings):
    settings.CSMS_TIME_ZONE = "UTC"
    history.note([station.pk], is_on=True, at=at(21))
    said(station, "Faulted", at(1))
    row = month_of(station)
    assert row.counted_s == 11 * 86_400
    assert row.outage_s == 11 * 86_400  # the fault from before lasts


def test_a_station_that_was_never_seen_has_no_month(station):
    assert months.compute([station.pk], AUGUST, AFTER) == 0


def test_without_any_status_a_connector_that_is_online_is_up(k1):
    assert not ConnectorStatus.objects.exists()
    assert month_of(k1).uptime_percent == 100


def test_a_status_that_is_older_than_the_history_still_holds(k1):
    Connector.objects.filter(station=k1, connector_id=1).update(
        status="Faulted", status_at=at(1, month=6)
    )
    assert month_of(k1).uptime_percent == 0
    assert month_of(k1, connector_id=2).uptime_percent == 100


def test_off_sale_is_neither_up_nor_down_and_is_told(k1):
    for day, is_on in ((5, False), (15, True)):
        StationChange.objects.create(station=k1, kind="sale", is_on=is_on, at=at(day))
    away(k1, at(14), at(16))  # one day of it is off sale
    row = month_of(k1)
    assert (row.off_sale_s, row.counted_s) == (10 * 86_400, 21 * 86_400)
    assert row.outage_s == 86_400


def test_a_month_that_was_all_off_sale_has_no_percentage(k1):
    StationChange.objects.create(station=k1, kind="sale", is_on=False, at=at(1, month=7))
    row = month_of(k1)
    assert (row.counted_s, row.uptime_percent) == (0, None)


def test_an_exclusion_excuses_only_what_of_the_outage_lies_within(k1, olga):
    away(k1, at(10, 12), at(10, 16))
    month_of(k1)
    exclude(k1, at(10, 14), at(11, 14), olga)
    row = UptimeMonth.objects.get(connector_id=1)
    assert (row.outage_s, row.excluded_s) == (4 * HOUR, 2 * HOUR)
    assert row.outages[0]["excluded_s"] == 2 * HOUR
    assert row.uptime_percent == (Decimal(100) * (744 - 2) / 744).quantize(Decimal("0.001"))


def test_exclusions_that_overlap_excuse_once(k1, olga):
    away(k1, at(10, 12), at(10, 16))
    exclude(k1, at(10, 12), at(10, 15), olga)
    exclude(k1, at(10, 14), at(10, 16), olga, category="vandalism", connector_id=1)
    assert month_of(k1).excluded_s == 4 * HOUR
    assert month_of(k1, connector_id=2).excluded_s == 3 * HOUR


def test_an_exclusion_without_an_outage_changes_nothing(k1, olga):
    exclude(k1, at(10), at(12), olga)
    row = month_of(k1)
    assert (row.outage_s, row.excluded_s, row.uptime_percent) == (0, 0, 100)


def test_a_withdrawn_exclusion_counts_no_more_and_stays(k1, olga):
    away(k1, at(10, 12), at(10, 16))
    month_of(k1)
    row = exclude(k1, at(10, 12), at(10, 16), olga)
    assert UptimeMonth.objects.get(connector_id=1).excluded_s == 4 * HOUR
    for _ in range(2):
        exclusions.withdraw(exclusion_id=row.pk, by=olga, reason="mistaken")
    assert UptimeMonth.objects.get(connector_id=1).excluded_s == 0
    assert UptimeExclusion.objects.get().withdrawn_by == olga
    assert LogEntry.objects.filter(change_message="withdrawn · mistaken").count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ended": at(10)}, "ended_at"),
        ({"ended": at(10, month=7)}, "ended_at"),
        ({"began": at(1, month=1) - dt.timedelta(days=300)}, "ended_at"),
        ({"connector_id": 9}, "connector_id"),
        ({"reason": " "}, "reason"),
    ],
)
def test_a_wrong_exclusion_is_refused(k1, olga, change, field):
    values = {"began": at(10), "ended": at(11)} | change
    began, ended = values.pop("began"), values.pop("ended")
    with pytest.raises(Invalid) as refusal:
        exclude(k1, began, ended, olga, **values)
    assert set(refusal.value.fields) == {field}
    assert not UptimeExclusion.objects.exists()


def test_an_exclusion_that_is_not_there_cannot_be_withdrawn(olga):
    with pytest.raises(NotFound):
        exclusions.withdraw(exclusion_id=1, by=olga, reason="x")


# --- Time zones -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "month", "hours"),
    [
        ("Europe/Berlin", dt.date(2026, 3, 1), 31 * 24 - 1),
        ("Europe/Berlin", dt.date(2026, 10, 1), 31 * 24 + 1),
        ("America/New_York", dt.date(2026, 3, 1), 31 * 24 - 1),
        ("Asia/Bishkek", dt.date(2026, 3, 1), 31 * 24),
        ("Asia/Kathmandu", dt.date(2026, 2, 1), 28 * 24),
        ("UTC", dt.date(2028, 2, 1), 29 * 24),
    ],
)
def test_a_month_has_the_hours_that_it_has_where_the_station_is(zone, month, hours):
    began, ended = months.window(month, zoneinfo.ZoneInfo(zone))
    assert ended - began == dt.timedelta(hours=hours)


def test_stations_of_one_batch_have_each_its_own_midnight(k1):
    east = Station.objects.create(
        station_id="E-1", identity="e-1", time_zone="Asia/Bishkek"
    )  # UTC+6
    Connector.objects.create(station=east, connector_id=1)
    history.note([east.pk], is_on=True, at=at(1, month=7))
    for station in (k1, east):
        away(station, at(31, 17), at(31, 19))
    months.compute([k1.pk, east.pk], AUGUST, AFTER)
    assert UptimeMonth.objects.get(station=k1, connector_id=1).outage_s == 2 * HOUR
    assert UptimeMonth.objects.get(station=east).outage_s == HOUR  # midnight is at 18:00 UTC


def test_an_outage_over_the_change_of_clocks_has_its_real_length(station, settings):
    settings.CSMS_TIME_ZONE = "Europe/Berlin"
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    history.note([station.pk], is_on=True, at=at(1, month=1))
    local = [dt.datetime(2026, 3, 29, hour, tzinfo=berlin).astimezone(UTC) for hour in (1, 4)]
    away(station, *local)
    row = month_of(station, month=dt.date(2026, 3, 1))
    assert row.outage_s == 2 * HOUR  # from 1 to 4, of which one hour was not
    assert row.counted_s == 743 * HOUR


# --- Kept months ----------------------------------------------------------------------------------


def test_a_final_month_is_not_computed_again_by_itself(k1):
    assert months.run_due(at(2, month=9)) > 0
    assert not UptimeMonth.objects.filter(month=AUGUST, is_final=True).exists()
    months.run_due(at(5, month=9))
    assert UptimeMonth.objects.filter(month=AUGUST, is_final=True).count() == 2
    away(k1, at(10), at(11))  # what is learnt too late
    months.run_due(at(6, month=9))
    assert UptimeMonth.objects.filter(month=AUGUST, outage_s=0).count() == 2


def test_staff_compute_a_final_month_again_and_say_why(k1, olga):
    months.run_due(at(5, month=9))
    away(k1, at(10), at(11))
    exclusions.recompute(station=k1, month=AUGUST, by=olga, reason="the clock was wrong")
    assert UptimeMonth.objects.filter(month=AUGUST, outage_s=86_400).count() == 2
    assert "the clock was wrong" in LogEntry.objects.latest("pk").change_message


def test_a_month_whose_history_is_gone_stays_as_it_is(k1, olga, settings):
    settings.CSMS_STATUS_RETENTION_DAYS = 10
    with pytest.raises(Invalid):
        exclusions.recompute(station=k1, month=AUGUST, by=olga, reason="x")


def test_an_exclusion_needs_no_history_only_what_was_kept(k1, olga):
    away(k1, at(10, 12), at(10, 16))
    month_of(k1)
    StationChange.objects.all().delete()
    exclude(k1, at(10, 12), at(10, 13), olga)
    assert UptimeMonth.objects.get(connector_id=1).excluded_s == HOUR


def test_months_that_a_worker_missed_are_made_up_for(k1):
    months.run_due(at(10, month=12))
    found = set(UptimeMonth.objects.values_list("month", flat=True))
    assert found == {dt.date(2026, month, 1) for month in range(7, 13)}


def test_computing_twice_makes_no_second_row(k1):
    for _ in range(2):
        months.compute([k1.pk], AUGUST, AFTER)
    assert UptimeMonth.objects.count() == 2


def test_many_stations_cost_as_many_queries_as_one(k1, django_assert_max_num_queries):
    for number in range(20):
        row = Station.objects.create(station_id=f"S{number}", identity=f"s{number}")
        Connector.objects.create(station=row, connector_id=1)
        history.note([row.pk], is_on=True, at=at(1))
    pks = list(Station.objects.values_list("pk", flat=True))
    with django_assert_max_num_queries(12):
        assert months.compute(pks, AUGUST, AFTER) == 22


# --- How it is known ------------------------------------------------------------------------------


def presence_of(station):
    rows = StationChange.objects.filter(station=station, kind="presence").order_by("at", "pk")
    return list(rows.values_list("is_on", flat=True))


@pytest.fixture
def process(db):
    return GatewayProcess.objects.create(channel="a", host="a")


def test_a_socket_that_opens_and_closes_is_written_down(station, process):
    fence = presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    assert presence_of(station) == [True]
    assert presence.disconnect(station_pk=station.pk, fence=fence)
    assert presence_of(station) == [True, False]


def test_an_old_socket_that_closes_ends_nothing(station, process):
    old = presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    assert not presence.disconnect(station_pk=station.pk, fence=old)
    assert presence.disconnect_all({station.pk: old}) == {station.pk}
    assert False not in presence_of(station)


def test_a_process_that_ends_well_lets_its_stations_go(station, process):
    presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    presence.give_up(process.pk)
    assert presence_of(station) == [True, False]


def test_a_batch_of_leavings_is_one_statement_more(station, process, django_assert_num_queries):
    others = [
        Station.objects.create(station_id=f"S{number}", identity=f"s{number}") for number in "123"
    ]
    fences = {
        row.pk: presence.connect(station_pk=row.pk, process_id=process.pk, subprotocol="ocpp1.6")
        for row in others
    }
    with django_assert_num_queries(3):  # lock, clear, write down
        presence.disconnect_all(fences)
    assert StationChange.objects.filter(is_on=False).count() == 3


def die(process, *, seconds_ago):
    lease_at = timezone.now() - dt.timedelta(seconds=seconds_ago)
    GatewayProcess.objects.filter(pk=process.pk).update(lease_at=lease_at)
    return lease_at + dt.timedelta(seconds=10)


def test_of_a_process_that_died_the_worker_notes_the_end_of_its_lease_once(station, process):
    presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    StationChange.objects.update(at=at(1))
    ended_at = die(process, seconds_ago=300)
    assert history.run_due(timezone.now()) == 1
    assert history.run_due(timezone.now()) == 0
    assert StationChange.objects.get(is_on=False).at == ended_at


def test_a_station_that_comes_back_before_the_worker_looked_was_away_too(station, process):
    presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    StationChange.objects.update(at=at(1))
    ended_at = die(process, seconds_ago=40)
    other = GatewayProcess.objects.create(channel="b", host="b")
    presence.connect(station_pk=station.pk, process_id=other.pk, subprotocol="ocpp1.6")
    assert presence_of(station) == [True, False, True]
    assert StationChange.objects.get(is_on=False).at == ended_at


def test_a_station_that_moves_between_living_processes_was_never_away(station, process):
    presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    other = GatewayProcess.objects.create(channel="b", host="b")
    presence.connect(station_pk=station.pk, process_id=other.pk, subprotocol="ocpp1.6")
    assert presence_of(station) == [True, True]


def test_a_process_that_was_only_slow_has_its_stations_back(station, process):
    presence.connect(station_pk=station.pk, process_id=process.pk, subprotocol="ocpp1.6")
    StationChange.objects.update(at=at(1))
    die(process, seconds_ago=60)
    history.run_due(timezone.now())
    GatewayProcess.objects.update(lease_at=timezone.now())
    assert history.run_due(timezone.now()) == 1
    assert presence_of(station) == [True, False, True]


def test_taking_off_sale_and_putting_on_is_written_down(station, olga):
    for enabled in (False, True):
        registry.update_station(station_id="K-1", changes={"enabled": enabled}, by=olga)
    registry.update_station(station_id="K-1", changes={"name": "x"}, by=olga)
    rows = StationChange.objects.filter(kind="sale").order_by("pk")
    assert list(rows.values_list("is_on", flat=True)) == [False, True]


def test_a_station_that_is_registered_off_sale_is_off_from_the_first(db, olga):
    registry.register_station(facts={"station_id": "N-1", "enabled": False}, by=olga)
    assert not StationChange.objects.get().is_on


# --- The API --------------------------------------------------------------------------------------


@pytest.fixture
def api(olga):
    return signed_in(olga)


def test_the_report_adds_up_by_connector_site_and_network(k1, api):
    k1.site = Site.objects.create(name="Osh market")
    k1.save()
    alone = Station.objects.create(station_id="S-2", identity="s-2")
    Connector.objects.create(station=alone, connector_id=1)
    history.note([alone.pk], is_on=True, at=at(1, month=7))
    away(k1, at(10, 12), at(10, 15, 43, 12))
    months.compute([k1.pk, alone.pk], AUGUST, AFTER)
    told = api.get("/ocpp/uptime?month=2026-08").json()
    assert [(one["station_id"], one["connector_id"]) for one in told["connectors"]] == [
        ("K-1", 1),
        ("K-1", 2),
        ("S-2", 1),
    ]
    assert told["connectors"][0]["uptime_percent"] == "99.500"
    assert [one["site_name"] for one in told["sites"]] == ["Osh market", None]
    assert told["sites"][0]["uptime_percent"] == "99.500"
    network = told["network"]
    assert (network["connectors"], network["counted_s"]) == (3, 3 * 2_678_400)
    assert network["uptime_percent"] == "99.667"  # 100 − 2 × 13,392 / 8,035,200
    assert network["reliability_percent"] == "100.000"  # who is offline is not measured
    assert network["is_final"] is True
    only = api.get(f"/ocpp/uptime?month=2026-08&site_id={k1.site_id}").json()
    assert only["network"]["connectors"] == 2
    only = api.get("/ocpp/uptime?month=2026-08&station_id=k-1").json()
    assert only["network"]["connectors"] == 2


def test_reliability_is_of_what_is_known(k1, api):
    away(k1, at(1), at(11))  # 10 days unknown, of 31
    said(k1, "Faulted", at(20), connector_id=1)
    said(k1, "Available", at(20, 12), connector_id=1)
    months.compute([k1.pk], AUGUST, AFTER)
    first = api.get("/ocpp/uptime?month=2026-08").json()["connectors"][0]
    assert first["reliability_percent"] == "97.619"  # 20.5 of 21 days
    assert first["uptime_percent"] == "66.129"  # 20.5 of 31 days


def test_twelve_months_are_weighed_by_their_length(k1, api):
    away(k1, at(1), at(1, month=9))  # all of August
    for month in (7, 8, 9):
        months.compute([k1.pk], dt.date(2026, month, 1), at(10, month=10))
    told = api.get("/ocpp/uptime?month=2026-09&months=12").json()
    assert told["network"]["counted_s"] == 2 * (31 + 31 + 30) * 86_400
    assert told["network"]["uptime_percent"] == "66.304"  # 61 of 92 days
    assert told["network"]["connectors"] == 2
    two = api.get("/ocpp/uptime?month=2026-09&months=2").json()
    assert two["network"]["counted_s"] == 2 * 61 * 86_400


@pytest.mark.parametrize(
    "query",
    ["", "month=2026", "month=2026-13", "month=2026-00", "month=0000-01", "month=x", "month=2026-8"]
    + [f"month=2026-08&{more}" for more in ("months=0", "months=99", "site_id=x", "months=x")],
)
def test_a_wrong_question_is_refused(api, query):
    for address in ("/ocpp/uptime", "/ocpp/uptime.csv"):
        answer = api.get(f"{address}?{query}")
        assert answer.status_code == 400
        assert answer.json()["fields"]


def test_a_month_that_nobody_computed_is_empty(api):
    told = api.get("/ocpp/uptime?month=2020-01").json()
    assert (told["connectors"], told["sites"]) == ([], [])
    assert told["network"]["uptime_percent"] is None
    assert told["network"]["is_final"] is False


def test_the_table_has_the_same_figures(k1, api):
    k1.site = Site.objects.create(name="=1+1")
    k1.save()
    away(k1, at(10, 12), at(10, 15, 43, 12))
    months.compute([k1.pk], AUGUST, AFTER)
    answer = api.get("/ocpp/uptime.csv?month=2026-08")
    assert answer["Content-Type"].startswith("text/csv")
    head, first, _second, site, network = answer.text.splitlines()
    assert first.split(",")[head.split(",").index("uptime_percent")] == "99.500"
    assert "'=1+1" in site
    assert network.split(",")[head.split(",").index("connectors")] == "2"


def test_exclusions_over_the_api(k1, api):
    away(k1, at(10, 12), at(10, 16))
    months.compute([k1.pk], AUGUST, AFTER)
    body = {
        "station_id": "K-1",
        "began_at": "2026-08-10T12:00:00Z",
        "ended_at": "2026-08-10T18:00:00+06:00",
        "category": "utility",
        "reason": "grid",
    }
    assert api.post("/ocpp/uptime/exclusions", body).status_code == 400  # its end is its beginning
    body["ended_at"] = "2026-08-10T14:00:00Z"
    made = api.post("/ocpp/uptime/exclusions", body)
    assert made.status_code == 201
    assert UptimeMonth.objects.filter(excluded_s=2 * HOUR).count() == 2
    address = f"/ocpp/uptime/exclusions/{made.json()['id']}"
    assert api.delete(address).status_code == 400  # it says no reason
    assert api.delete(f"{address}?reason=mistaken").status_code == 204
    assert api.get("/ocpp/uptime/exclusions").json()["results"][0]["withdrawn_at"]
    assert UptimeMonth.objects.filter(excluded_s=0).count() == 2
    for change in ({"station_id": "X"}, {"category": "luck"}, {"reason": ""}, {"connector_id": 9}):
        assert api.post("/ocpp/uptime/exclusions", body | change).status_code in {400, 404}


# --- Spans ----------------------------------------------------------------------------------------

moments = st.integers(0, 60).map(lambda minute: at(1, 0, 0) + dt.timedelta(minutes=minute))
some = st.lists(st.tuples(moments, moments), max_size=8)


def minutes_of(spans):
    """The minutes of a list of spans, as a set, by brute force."""
    start = at(1)
    return {
        minute
        for began, ended in spans
        for minute in range(61)
        if began <= start + dt.timedelta(minutes=minute) < ended
    }


@given(some, some)
def test_spans_are_sets_of_moments(one, other):
    assert minutes_of(merge(one, other)) == minutes_of(one) | minutes_of(other)
    assert minutes_of(overlap(one, other)) == minutes_of(one) & minutes_of(other)
    assert minutes_of(without(one, other)) == minutes_of(one) - minutes_of(other)
    assert total_s(one) == 60 * len(minutes_of(one))


@given(some, some)
def test_results_are_in_order_and_apart(one, other):
    for spans in (merge(one, other), overlap(one, other), without(one, other)):
        assert all(began < ended for began, ended in spans)
        assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
