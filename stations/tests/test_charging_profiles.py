"""Installing and clearing: what is asked of a station, and what it is believed to hold after."""

import dataclasses
import datetime as dt
from decimal import Decimal

import pytest

from billing.errors import Invalid
from sessions_app.services import calls
from stations import charging_profiles, registry
from stations.errors import StationOffline
from stations.models import Command, InstalledProfile, Station
from stations.smart_charging import ChargingProfile, Kind, Period, Purpose, Schedule, Unit
from stations.smart_charging import tx_profile as charge_payload

State = InstalledProfile.State
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
DEFAULT = ChargingProfile(
    id=0,
    purpose=Purpose.TX_DEFAULT,
    kind=Kind.ABSOLUTE,
    schedule=Schedule(Unit.AMPERE, (Period(0, Decimal(16)),), start_at=NOON),
)
HIGHER = dataclasses.replace(DEFAULT, stack_level=1)


@pytest.fixture
def install(online, olga):
    def ask(profile=DEFAULT, connector_id=1, **options):
        return charging_profiles.install(
            station=online, connector_id=connector_id, profile=profile, by=olga, **options
        )

    return ask


@pytest.fixture
def clear(online, olga):
    def ask(**criteria):
        return charging_profiles.clear(station=online, by=olga, **criteria)

    return ask


def send_next(station):
    return calls.claim(station_pk=station.pk, fence=station.fence)


def answer(command, status="Accepted"):
    """Send a command and let the station answer it."""
    sent = send_next(command.station)
    assert sent.pk == command.pk
    calls.record_answer(command.pk, {"status": status})


def states():
    rows = InstalledProfile.objects.order_by("profile_id")
    return [(row.profile_id, row.state, row.cause) for row in rows]


def test_a_profile_is_asked_for_and_installed_when_it_is_accepted(install, olga):
    command = install(reason="peak hours")
    assert (command.action, command.lane) == ("SetChargingProfile", Command.Lane.ASKED)
    assert (command.requested_by, command.reason) == (olga, "peak hours")
    assert command.payload["csChargingProfiles"]["chargingProfileId"] == 1
    assert states() == [(1, "asked", "")]
    answer(command)
    assert states() == [(1, "installed", "")]


@pytest.mark.parametrize("status", ["Rejected", "NotSupported"])
def test_a_refused_profile_is_not_held(install, status):
    answer(install(), status)
    assert states() == [(1, "refused", status)]


def test_a_callerror_is_a_refusal(install, online):
    command = install()
    send_next(online)
    calls.record_refusal(command.pk, "NotImplemented", "")
    assert states() == [(1, "refused", "NotImplemented")]


def test_a_refused_replacement_leaves_what_is_installed(install):
    answer(install())
    weaker = dataclasses.replace(
        DEFAULT, schedule=dataclasses.replace(DEFAULT.schedule, periods=(Period(0, Decimal(6)),))
    )
    answer(install(weaker), "Rejected")
    assert states() == [(1, "installed", "")]
    [period] = InstalledProfile.objects.get().profile["chargingSchedule"]["chargingSchedulePeriod"]
    assert period["limit"] == 16


@pytest.mark.parametrize("code", ["disconnected", "invalid_response"])
def test_it_is_unknown_what_a_station_made_of_a_profile(install, online, code):
    command = install()
    send_next(online)
    calls.record_refusal(command.pk, code, "")
    assert states() == [(1, "unknown", code)]


def test_silence_leaves_it_unknown(install, online):
    command = install()
    send_next(online)
    calls.record_silence(command.pk)
    assert states() == [(1, "unknown", "timeout")]


def test_what_never_went_out_is_not_held(install, online):
    command = install()
    calls.cut_off(station_pk=online.pk, fence=online.fence + 1)
    command.refresh_from_db()
    assert command.sent_at is None
    assert states() == [(1, "refused", "disconnected")]


def test_a_profile_of_the_same_rank_keeps_its_id_and_another_gets_a_new_one(install):
    ids = [
        install(*ask).payload["csChargingProfiles"]["chargingProfileId"]
        for ask in [(DEFAULT, 1), (HIGHER, 1), (DEFAULT, 2), (DEFAULT, 1)]
    ]
    assert ids == [1, 2, 3, 1]


def test_nothing_is_sent_that_breaks_a_rule(install, online):
    online.configuration = {"ChargingScheduleMaxPeriods": {"value": "0"}}
    online.save(update_fields=["configuration"])
    with pytest.raises(Invalid) as refused:
        install(dataclasses.replace(DEFAULT, purpose=Purpose.STATION_MAX))
    assert refused.value.fields["profile"] == [
        "ChargePointMaxProfile is for connector 0 only.",
        "The station takes 0 periods at most.",
    ]
    assert not Command.objects.exists()
    assert not InstalledProfile.objects.exists()


def test_a_station_holds_as_many_as_it_can(install, online):
    online.configuration = {"MaxChargingProfilesInstalled": {"value": "1"}}
    online.save(update_fields=["configuration"])
    answer(install())
    with pytest.raises(Invalid):
        install(HIGHER)
    answer(install())


def test_a_charge_needs_its_transaction(install):
    charge = ChargingProfile(
        0, Purpose.TX, Kind.RELATIVE, dataclasses.replace(DEFAULT.schedule, start_at=None)
    )
    with pytest.raises(Invalid):
        install(charge)
    assert install(charge, running_transaction_id=42).payload["connectorId"] == 1


def test_nothing_is_installed_at_a_station_that_is_not_there(station, olga):
    with pytest.raises(StationOffline):
        charging_profiles.install(station=station, connector_id=1, profile=DEFAULT, by=olga)
    with pytest.raises(StationOffline):
        charging_profiles.clear(station=station, by=olga)
    assert not InstalledProfile.objects.exists()


@pytest.mark.parametrize(
    ("criteria", "payload", "left"),
    [
        ({}, {}, []),
        ({"profile_id": 2}, {"id": 2}, [1, 3]),
        ({"connector_id": 1}, {"connectorId": 1}, [3]),
        ({"stack_level": 0}, {"stackLevel": 0}, [2]),
        (
            {"purpose": Purpose.TX_DEFAULT, "connector_id": 2},
            {"chargingProfilePurpose": "TxDefaultProfile", "connectorId": 2},
            [1, 2],
        ),
        ({"purpose": Purpose.TX}, {"chargingProfilePurpose": "TxProfile"}, [1, 2, 3]),
    ],
)
def test_clearing_ends_what_matches_and_nothing_else(install, clear, criteria, payload, left):
    for profile, connector_id in [(DEFAULT, 1), (HIGHER, 1), (DEFAULT, 2)]:
        answer(install(profile, connector_id))
    command = clear(**criteria)
    assert command.payload == payload
    answer(command)
    assert [number for number, state, _ in states() if state == "installed"] == left


def test_a_profile_that_the_station_does_not_know_is_gone(install, clear):
    answer(install())
    answer(clear(profile_id=1), "Unknown")
    assert states() == [(1, "cleared", "Unknown")]


def test_a_refused_clearing_changes_nothing_and_a_lost_one_leaves_it_unknown(
    install, clear, online
):
    answer(install())
    command = clear()
    send_next(online)
    calls.record_refusal(command.pk, "NotSupported", "")
    assert states() == [(1, "installed", "")]
    command = clear()
    send_next(online)
    calls.record_silence(command.pk)
    assert states() == [(1, "unknown", "timeout")]


def test_an_id_and_other_criteria_are_not_mixed(clear):
    with pytest.raises(Invalid):
        clear(profile_id=1, connector_id=1)


def by_hand(station, olga, payload):
    return registry.ask_station(
        station=station, action="SetChargingProfile", payload=payload, by=olga
    )


def test_a_profile_sent_by_hand_counts_and_replaces_its_like(install, online, olga):
    answer(install())
    profile = {**InstalledProfile.objects.get().profile, "chargingProfileId": 77}
    answer(by_hand(online, olga, {"connectorId": 1, "csChargingProfiles": profile}))
    assert states() == [(1, "cleared", "replaced"), (77, "installed", "")]


@pytest.mark.parametrize("name", ["chargingProfileId", "stackLevel"])
@pytest.mark.parametrize("number", [2**31, -(2**63), 10**30])
def test_a_number_that_no_row_can_hold_ends_the_command_all_the_same(online, olga, name, number):
    profile = {**charge_payload(Decimal(11000), 42), name: number}
    command = by_hand(online, olga, {"connectorId": 1, "csChargingProfiles": profile})
    answer(command)
    command.refresh_from_db()
    assert command.status == "answered"
    assert states() == []


def test_clearing_a_number_that_no_row_can_hold_clears_nothing(install, online, olga):
    answer(install())
    command = registry.ask_station(
        station=online, action="ClearChargingProfile", payload={"id": 10**30}, by=olga
    )
    answer(command)
    assert states() == [(1, "installed", "")]


def test_another_stations_profiles_are_not_touched(install, clear, online, olga):
    other = Station.objects.create(station_id="K-9", identity="k-9")
    answer(install())
    InstalledProfile.objects.update(station=other)
    answer(clear())
    assert states() == [(1, "installed", "")]


@pytest.fixture
def hold(station):
    def note(transaction_id, purpose=Purpose.TX, state=State.INSTALLED):
        return InstalledProfile.objects.create(
            station=station,
            connector_id=1,
            profile_id=InstalledProfile.objects.count() + 1,
            purpose=purpose.value,
            stack_level=0,
            profile={} if transaction_id is None else {"transactionId": transaction_id},
            state=state,
        )

    return note


@pytest.mark.parametrize("state", [State.INSTALLED, State.UNKNOWN])
def test_the_profile_of_a_transaction_ends_with_it(station, hold, state):
    row = hold(7, state=state)
    charging_profiles.end_transaction(station_pk=station.pk, transaction_id=7)
    row.refresh_from_db()
    assert (row.state, row.cause) == (State.CLEARED, "transaction ended")


@pytest.mark.parametrize(
    ("transaction_id", "purpose", "state"),
    [
        (8, Purpose.TX, State.INSTALLED),
        (None, Purpose.TX, State.INSTALLED),
        (7, Purpose.TX_DEFAULT, State.INSTALLED),
        (7, Purpose.TX, State.REFUSED),
        (7, Purpose.TX, State.ASKED),
    ],
)
@pytest.mark.parametrize("ended", [7, None])
def test_the_end_of_a_transaction_leaves_other_profiles(
    station, hold, transaction_id, purpose, state, ended
):
    row = hold(transaction_id, purpose, state)
    charging_profiles.end_transaction(station_pk=station.pk, transaction_id=ended)
    row.refresh_from_db()
    assert row.state == state
