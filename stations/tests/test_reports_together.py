"""Boots and statuses of thousands of stations at once: the same as one by one, only together."""

import datetime as dt

import pytest
from django.utils import timezone

from sessions_app.services import calls
from stations import commands, configuration, reports, wishes
from stations.models import Command, Connector, FirmwareUpdate, GatewayProcess, Station
from stations.reports import Boot, SaidBoot, SaidStatus, Status
from stations.tests.cast import held
from stations.tests.maintenance import PUBLIC, add_image, plan

BOOT = Boot("Acme", "One", "7", "1.0")
NOW = timezone.now()


@pytest.fixture
def house(db):
    return GatewayProcess.objects.create(channel="gateway.here", host="test")


def add(name, house, **columns):
    return Station.objects.create(
        station_id=name, identity=name, security_profile=0, owner=house, fence=1, **columns
    )


def boot(station, boot=BOOT):
    reports.record_boot(station_pk=station.pk, boot=boot, received_at=NOW)


def add_known(name, house):
    """It was set up before: every step of its set-up has ended."""
    station = add(name, house)
    boot(station)
    answer_all(station)
    return station


def answer_all(station):
    while (command := calls.claim(station_pk=station.pk, fence=1)) is not None:
        answer = {"status": "Accepted"}
        if command.action == "GetConfiguration":
            answer = {"configurationKey": [], "unknownKey": []}
        calls.record_answer(command.pk, answer)


def add_cut_off(name, house):
    station = add(name, house)
    boot(station)
    calls.claim(station_pk=station.pk, fence=1)
    calls.cut_off(station_pk=station.pk, fence=2)


def add_under_way(name, house):
    boot(add(name, house))


def add_awaiting_boot(name, house):
    station = add_known(name, house)
    station.refresh_from_db()
    station.configuration["ConnectionTimeOut"]["reboot"] = True
    station.save()


def add_wished(name, house, olga):
    station = add_known(name, house)
    wishes.add_wish(key="LightIntensity", value="50", station=station, by=olga)


def add_queued(name, house):
    station = add_known(name, house)
    commands.send(station=station, action="Reset", payload={}, lane=Command.Lane.ASKED)


CASES = {
    "first": lambda name, house, olga: add(name, house),
    "known": lambda name, house, olga: add_known(name, house),
    "cut off": lambda name, house, olga: add_cut_off(name, house),
    "under way": lambda name, house, olga: add_under_way(name, house),
    "awaits a boot": lambda name, house, olga: add_awaiting_boot(name, house),
    "wished": add_wished,
    "queued": lambda name, house, olga: add_queued(name, house),
    "with an offset": lambda name, house, olga: add(name, house, clock_offset_s=5.0),
    "waits": lambda name, house, olga: add(name, house, registration="Pending"),
    "rejected": lambda name, house, olga: add(name, house, registration="Rejected"),
    "left alone": lambda name, house, olga: add(name, house, is_provisioned=False),
}


def said_of(station):
    """What the database says of a station after a Boot."""
    station.refresh_from_db()
    columns = [*reports.BOOT_FIELDS, "registration", "configuration", "fence"]
    steps = station.commands.order_by("created_at", "pk")
    return (
        {name: getattr(station, name) for name in columns},
        list(steps.values_list("action", "payload", "reference", "status", "fence")),
    )


def test_boots_together_are_the_same_as_one_by_one(house, olga):
    for side in "ab":
        for name, make in CASES.items():
            make(f"{side} {name}", house, olga)
    together, alone = (Station.objects.filter(identity__startswith=side) for side in "ab")
    later = NOW + dt.timedelta(minutes=1)
    fact = Boot("Acme" * 20, "One", "8", "2.0")
    answers = reports.record_boots([SaidBoot(one.pk, fact, later) for one in together])
    singly = [reports.record_boot(station_pk=one.pk, boot=fact, received_at=later) for one in alone]
    assert [answer.registration for answer in answers] == singly
    assert [said_of(one) for one in together] == [said_of(one) for one in alone]
    for one, answer in zip(together, answers, strict=True):
        has_queued = one.commands.filter(status=Command.Status.QUEUED).exists()
        assert answer.has_queued == has_queued


def test_many_known_stations_cost_as_many_queries_as_few(house, django_assert_num_queries):
    known = [add_known(f"K-{number}", house) for number in range(12)]
    for some in (known[:2], known[2:]):
        said = [SaidBoot(one.pk, BOOT, NOW) for one in some]
        with django_assert_num_queries(8):
            reports.record_boots(said)


def test_first_boots_together_ring_for_their_set_up(
    house, django_assert_num_queries, django_capture_on_commit_callbacks
):
    fresh = [add(f"K-{number}", house) for number in range(12)]
    with django_capture_on_commit_callbacks() as rung, django_assert_num_queries(10):
        reports.record_boots([SaidBoot(one.pk, BOOT, NOW) for one in fresh])
    assert len(rung) == 1
    assert Command.objects.filter(action="GetConfiguration", fence=1).count() == 12


def test_the_second_boot_of_a_station_is_recorded_alone(house):
    station = add("K-2", house)
    other = Boot("Acme", "One", "7", "2.0")
    first, second = reports.record_boots(
        [SaidBoot(station.pk, BOOT, NOW), SaidBoot(station.pk, other, NOW)]
    )
    assert (first.registration, second) == ("Accepted", None)
    station.refresh_from_db()
    assert station.firmware_version == "1.0"


def test_the_boot_of_a_station_that_is_gone_is_recorded_alone(house):
    """There the one that waits is told what is wrong, and no other."""
    station = add("K-2", house)
    gone, there = reports.record_boots(
        [SaidBoot(station.pk + 1, BOOT, NOW), SaidBoot(station.pk, BOOT, NOW)]
    )
    assert (gone, there.registration) == (None, "Accepted")


def test_a_version_that_was_awaited_is_seen_among_many(house, olga, settings):
    settings.CSMS_PUBLIC_URL = PUBLIC
    image = add_image(olga)
    stations = [add(f"K-{n}", house, vendor="Acme", model="One") for n in range(3)]
    plan(olga, image, *stations)
    assert FirmwareUpdate.objects.count() == 3
    versions = ["2.0", "1.0", "2.0"]
    reports.record_boots(
        [
            SaidBoot(one.pk, Boot("Acme", "One", "", version), NOW)
            for one, version in zip(stations, versions, strict=True)
        ]
    )
    states = FirmwareUpdate.objects.order_by("station").values_list("status", flat=True)
    assert list(states) == ["skipped", "queued", "skipped"]


def at(seconds):
    return NOW + dt.timedelta(seconds=seconds)


STATUSES = {
    "first of all": [Status(1, "Available", at(0))],
    "repeated": [Status(1, "Available", at(0)), Status(1, "Available", at(1))],
    "one after the other": [
        Status(1, "Preparing", at(0), at(-1)),
        Status(1, "Charging", at(1), at(0)),
    ],
    "an older one": [
        Status(1, "Charging", at(0), at(0)),
        Status(1, "Available", at(1), at(-600)),
    ],
    "of the station": [Status(0, "Available", at(0), at(0))],
    "undeclared": [Status(9, "Faulted", at(0), error_code="x" * 60, info="y" * 60)],
    "two undeclared": [Status(7, "Available", at(0)), Status(8, "Available", at(0))],
    "a clock that is off": [
        Status(1, "Available", at(0), at(-3600)),
        Status(2, "Available", at(1), at(-3599.9)),
        Status(1, "Charging", at(2), at(-3300)),
    ],
    "before the calendar": [Status(1, "Available", at(0), dt.datetime(1, 1, 1, tzinfo=dt.UTC))],
}


def shown(station):
    station.refresh_from_db()
    connectors = station.connectors.order_by("connector_id")
    history = station.statuses.order_by("pk")
    return (
        station.clock_offset_s,
        list(connectors.values_list("connector_id", "status", "status_at", "error_code")),
        list(history.values_list("connector_id", "status", "at", "received_at", "info")),
    )


def test_statuses_together_are_the_same_as_one_by_one(house):
    sides = {}
    for side in "ab":
        sides[side] = [add(f"{side} {name}", house) for name in STATUSES]
        for station in sides[side]:
            for number in (1, 2):
                Connector.objects.create(station=station, connector_id=number)
    said = [
        SaidStatus(station.pk, status)
        for station, told in zip(sides["a"], STATUSES.values(), strict=True)
        for status in told
    ]
    assert reports.record_statuses(said) == [True] * len(said)
    for station, told in zip(sides["b"], STATUSES.values(), strict=True):
        for status in told:
            reports.record_status(station=Station.objects.get(pk=station.pk), status=status)
    assert [shown(one) for one in sides["a"]] == [shown(one) for one in sides["b"]]


def test_many_statuses_cost_as_many_queries_as_few(house, django_assert_num_queries):
    stations = [add(f"K-{number}", house) for number in range(12)]
    reports.record_statuses([SaidStatus(one.pk, Status(1, "Available", NOW)) for one in stations])
    for some in (stations[:2], stations[2:]):
        said = [SaidStatus(one.pk, Status(1, "Charging", at(1))) for one in some]
        with django_assert_num_queries(6):
            reports.record_statuses(said)
    assert {row.status for row in Connector.objects.all()} == {"Charging"}


def test_a_run_that_was_cut_off_goes_on_under_its_own_name(house):
    station = add("K-2", house)
    boot(station)
    calls.claim(station_pk=station.pk, fence=1)
    calls.cut_off(station_pk=station.pk, fence=2)
    Command.objects.update(reference=configuration.APPLY)
    reports.record_boots([SaidBoot(station.pk, BOOT, NOW)])
    references = Command.objects.filter(status="queued").values_list("reference", flat=True)
    assert list(references) == [configuration.APPLY]


@pytest.mark.on_postgres
def test_a_station_whose_row_is_locked_stalls_no_one(transactional_db):
    house = GatewayProcess.objects.create(channel="gateway.here", host="test")
    locked, free = add("K-2", house), add("K-3", house)
    status = Status(1, "Available", NOW)
    with held(f"SELECT 1 FROM stations_station WHERE id = {locked.pk} FOR UPDATE"):
        alone, together = reports.record_boots(
            [SaidBoot(locked.pk, BOOT, NOW), SaidBoot(free.pk, BOOT, NOW)]
        )
        statuses = [SaidStatus(one.pk, status) for one in (locked, free)]
        assert reports.record_statuses(statuses) == [False, True]
    assert (alone, together.registration) == (None, "Accepted")
