"""Uptime in the back office: a month with its outages, and the buttons that say who and why."""

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry

from billing.tests.back_office import errors_of, press
from stations.models import UptimeExclusion, UptimeMonth
from stations.uptime import history, months

pytestmark = pytest.mark.django_db
LIST = "/admin/stations/uptimemonth/"
DAY = dt.datetime(2026, 10, 10, tzinfo=dt.UTC)
FORM = {
    "began_at_0": "2026-10-10",
    "began_at_1": "12:00:00",
    "ended_at_0": "2026-10-10",
    "ended_at_1": "13:00:00",
    "category": "vandalism",
    "reason": "a broken cable",
}


@pytest.fixture
def month(station, settings):
    """October of connector 1, of which four hours were offline, from noon in UTC."""
    settings.CSMS_TIME_ZONE = "Asia/Bishkek"
    history.note([station.pk], is_on=True, at=DAY - dt.timedelta(days=60))
    history.note([station.pk], is_on=False, at=DAY.replace(hour=12))
    history.note([station.pk], is_on=True, at=DAY.replace(hour=16))
    months.compute([station.pk], dt.date(2026, 10, 1), DAY + dt.timedelta(days=40))
    return UptimeMonth.objects.get(connector_id=1)


def button(name, row):
    return f"/admin/stations/{row._meta.model_name}/{row.pk}/{name}/"


def test_a_month_is_listed_and_shows_its_outages_in_the_time_of_the_station(olgas, month):
    found = olgas.get(f"{LIST}?of=2026-10")
    assert len(found.context["cl"].result_list) == 2
    assert "99.462 %" in found.text  # 740 of 744 hours
    assert not olgas.get(f"{LIST}?of=2026-09").context["cl"].result_list
    shown = olgas.get(f"{LIST}{month.pk}/change/").text
    assert "2026-10-10 18:00:00" in shown
    assert "4:00:00" in shown


def test_an_outage_is_excluded_for_one_connector_or_all(olgas, olga, month):
    press(olgas, button("exclude_outage", month), **FORM)
    row = UptimeExclusion.objects.get()
    assert (row.connector_id, row.category, row.made_by) == (1, "vandalism", olga)
    assert UptimeMonth.objects.get(connector_id=1).excluded_s == 3600
    assert UptimeMonth.objects.get(connector_id=2).excluded_s == 0
    press(olgas, button("exclude_outage", month), whole_station="on", **FORM)
    assert UptimeMonth.objects.get(connector_id=2).excluded_s == 3600
    assert "a broken cable" in LogEntry.objects.latest("pk").change_message
    press(olgas, button("withdraw", UptimeExclusion.objects.first()), reason="mistaken")
    assert UptimeExclusion.objects.filter(withdrawn_by=olga).count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ended_at_1": "11:00:00"}, "ended_at"),
        ({"began_at_0": "yesterday"}, "began_at"),
        ({"category": "luck"}, "category"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_wrong_form_excludes_nothing(olgas, month, change, field):
    answer = press(olgas, button("exclude_outage", month), **FORM | change)
    assert set(errors_of(answer)) == {field}
    assert not UptimeExclusion.objects.exists()


def test_a_month_is_computed_again_by_a_button(olgas, month):
    history.note([month.station_id], is_on=False, at=DAY.replace(hour=18))
    history.note([month.station_id], is_on=True, at=DAY.replace(hour=19))
    press(olgas, button("recompute", month), reason="the log says more")
    assert UptimeMonth.objects.get(connector_id=1).outage_s == 5 * 3600
