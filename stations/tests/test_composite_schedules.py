"""Composite schedules: kept as told, drawn beside ours, and compared."""

import datetime as dt
import re
from decimal import Decimal

import pytest
from django.urls import reverse

from sessions_app.services import calls
from stations.composite_schedules import agree, own_limits, told_limits
from stations.models import Command, CompositeSchedule, InstalledProfile
from stations.smart_charging import Limit
from stations.smart_charging.drawing import HEIGHT, LEFT, RIGHT, WIDTH, draw

START = dt.datetime(2026, 11, 24, 6, 30, tzinfo=dt.UTC)
PERIODS = [{"startPeriod": 0, "limit": 16.5}, {"startPeriod": 1800, "limit": 0}]
ANSWER = {
    "status": "Accepted",
    "connectorId": 1,
    "scheduleStart": "2026-11-24T06:30:00Z",
    "chargingSchedule": {
        "duration": 3600,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": PERIODS,
    },
}


def limits(*pairs):
    return tuple(Limit(start, None if value is None else Decimal(value)) for start, value in pairs)


def answer(station, response, **payload):
    command = Command.objects.create(
        station=station,
        action="GetCompositeSchedule",
        payload={"connectorId": 1, "duration": 7200} | payload,
        lane=Command.Lane.ASKED,
        status=Command.Status.SENT,
    )
    calls.record_answer(command.pk, response)


def test_an_answer_is_kept_as_told(station):
    answer(station, ANSWER)
    row = CompositeSchedule.objects.get()
    assert (row.start_at, row.duration_s, row.unit) == (START, 3600, "A")
    assert told_limits(row) == limits((0, "16.5"), (1800, "0"))


def test_a_later_answer_replaces_it_and_another_connector_has_its_own(station):
    answer(station, ANSWER)
    answer(station, ANSWER | {"scheduleStart": "2026-11-24T08:00:00Z"})
    answer(station, ANSWER, connectorId=0)
    assert sorted(CompositeSchedule.objects.values_list("connector_id", flat=True)) == [0, 1]
    assert CompositeSchedule.objects.get(connector_id=1).start_at.hour == 8


def test_what_the_answer_leaves_out_is_taken_from_the_question(station):
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": PERIODS[:1]}
    answer(station, {"status": "Accepted", "chargingSchedule": schedule})
    assert CompositeSchedule.objects.get().duration_s == 7200


@pytest.mark.parametrize(
    "response",
    [{"status": "Rejected"}, {"status": "Accepted"}, {"status": "Accepted", "connectorId": 1}],
)
def test_no_schedule_is_no_row(station, response):
    answer(station, response)
    assert not CompositeSchedule.objects.exists()


def hold(station, limit):
    InstalledProfile.objects.create(
        station=station,
        connector_id=0,
        profile_id=1,
        purpose="TxDefaultProfile",
        stack_level=0,
        state=InstalledProfile.State.INSTALLED,
        profile={
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        },
    )


def test_ours_is_made_of_what_the_station_holds(station):
    answer(station, ANSWER)
    hold(station, 10)
    row = CompositeSchedule.objects.get()
    assert [limit.limit for limit in own_limits(row)] == [Decimal(10)]


@pytest.mark.parametrize(
    ("told", "own", "same"),
    [
        ([(0, "16")], [(0, "16")], True),
        ([(0, "16")], [(0, "10")], False),
        ([(0, "16")], [(0, None)], True),
        ([(0, "16"), (60, "8")], [(0, "16")], False),
        ([(0, "16"), (60, "8")], [(0, "16"), (60, "8")], True),
        ([(0, "16")], [(0, "16"), (60, "8")], False),
        ([], [(0, "16")], False),
    ],
)
def test_whether_they_agree(told, own, same):
    assert agree(limits(*told), limits(*own)) is same


def numbers(path):
    return [float(number) for number in re.findall(r"[\d.]+", path)]


def test_a_line_begins_and_ends_with_the_time_and_stays_inside():
    chart = draw([limits((0, "16"), (1800, "0"), (2400, "32"))], start_at=START, duration_s=3600)
    (path,) = chart.paths
    assert path.startswith(f"M{LEFT:.1f} ")
    assert path.endswith(f"H{WIDTH - RIGHT:.1f}")
    assert path.count("H") == 3
    assert all(0 <= number <= max(WIDTH, HEIGHT) for number in numbers(path))


def test_where_nothing_limits_there_is_a_gap():
    chart = draw(
        [limits((0, "16"), (600, None), (1200, "16")), ()], start_at=START, duration_s=3600
    )
    assert chart.paths[0].count("M") == 2
    assert chart.paths[1] == ""


def test_the_axes_have_round_marks():
    chart = draw([limits((0, "22000"))], start_at=START, duration_s=3600)
    assert [tick.text for tick in chart.values] == ["0", "5000", "10000", "15000", "20000", "25000"]
    assert [tick.text for tick in chart.times][:3] == ["06:30", "06:35", "06:40"]


@pytest.mark.parametrize("duration_s", [0, 1, 59, 86_400, 30 * 86_400, 2**31 - 1])
def test_any_length_can_be_drawn(duration_s):
    chart = draw([limits((0, "16"))], start_at=START, duration_s=duration_s)
    assert len(chart.times) <= 13
    assert chart.paths[0]


def test_the_page_draws_it_in_the_stations_time_and_says_when_they_differ(client, olga, station):
    answer(station, ANSWER)
    hold(station, 10)
    client.force_login(olga)
    row = CompositeSchedule.objects.get()
    page = client.get(reverse("admin:stations_compositeschedule_change", args=[row.pk])).text
    assert page.count("stroke-dasharray") == 1
    assert "They differ" in page
    assert "12:30" in page  # Bishkek
    assert "16.5 A" in page
