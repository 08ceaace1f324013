"""Keys over the air and at the handshake: which are good, when one stops, and who is told."""

import base64
import datetime as dt
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async

from stations import keys, refusals, registry, rotation
from stations.errors import KeyNotUsed, StationOffline
from stations.models import Alert, Command, PendingKey, Station
from stations.refusals import Cause, Refusals
from stations.tests.cast import go_online
from stations.tests.in_process import Denied
from stations.tests.test_gateway_setup import until

HEX = "00ff7a3c0123456789abcdef00ff7a3c01234567"
PROXY = "10.0.0.9"
HTTPS = {"X-Forwarded-Proto": "https"}
OLD = "old key of K-1:"
OPEN = {"resolved_at__isnull": True}


@pytest.fixture
def keyed(k1):
    """K-1 with a key, left alone by Kubat's set-up."""
    k1.security_profile, k1.key_digest, k1.is_provisioned = 1, keys.digest(OLD), False
    k1.save()
    return k1


@pytest.fixture
def proxied(settings):
    settings.CSMS_TRUSTED_PROXIES = ["10.0.0.0/24"]


def basic(user, password):
    token = base64.b64encode(user + b":" + password).decode()
    return {"Authorization": f"Basic {token}"}


async def status_of(plug_in, *arguments, **options):
    """101 where the socket opened, else the status of the refusal."""
    try:
        station = await plug_in(*arguments, **options)
    except Denied as denied:
        return denied.status
    await station.close()
    return 101


async def rotate(plug_in, olga, keyed, answer, *, key):
    """Send a new key over a socket that was opened with `key`; return the new one."""
    station = await plug_in(key=key, answers={"ChangeConfiguration": answer})
    await station.boot()
    rotated = await sync_to_async(rotation.send_new_key)(station=keyed, by=olga, reason="leaked")
    await Command.objects.filter(pk=rotated.command.pk).aupdate(timeout_s=1)
    assert await station.expect_call("ChangeConfiguration") == {
        "key": "AuthorizationKey",
        "value": rotated.key,
    }

    async def has_ended():
        row = await Command.objects.aget(pk=rotated.command.pk)
        return row.status not in Command.OPEN

    if answer is not None:
        await until(has_ended)
    await station.close()
    return rotated.key


# --- How a password may be spelled ------------------------------------------------------------


@pytest.mark.parametrize(
    "password", [HEX.encode(), HEX.upper().encode(), bytes.fromhex(HEX)], ids=["hex", "HEX", "raw"]
)
async def test_a_key_in_hexadecimal_digits_opens_in_each_spelling(plug_in, keyed, password):
    await Station.objects.filter(pk=keyed.pk).aupdate(key_digest=keys.digest(HEX))
    assert await status_of(plug_in, headers=basic(b"K-1", password)) == 101


@pytest.mark.parametrize("user", [b"K-1", b"k-1"])
async def test_a_password_may_hold_colons_and_a_user_has_no_case(plug_in, keyed, user):
    assert await status_of(plug_in, headers=basic(user, OLD.encode())) == 101


async def test_an_identity_may_hold_colons(plug_in, keyed):
    await Station.objects.filter(pk=keyed.pk).aupdate(station_id="KG:1:A", identity="kg:1:a")
    good = basic(b"KG:1:A", OLD.encode())
    assert await status_of(plug_in, "KG:1:A", headers=good) == 101
    assert await status_of(plug_in, "KG:1:A", headers=basic(b"KG", OLD.encode())) == 401


@pytest.mark.parametrize(
    "headers",
    [
        basic(b"", OLD.encode()),
        basic(b"K-2", OLD.encode()),
        basic(b"K-1 ", OLD.encode()),
        basic(b"\xff\xfe", OLD.encode()),
        basic(b"K-1", b"\xff\xfe\x00"),
        basic(b"K-1", OLD.upper().encode()),
        basic(b"K-1", OLD.encode() + b"\n"),
        basic(b"K-1", b""),
        {"Authorization": "Basic " + base64.b64encode(b"K-1").decode()},
        {"Authorization": "Basic"},
        {"Authorization": "Basic SzoxOg"},
        {},
    ],
)
async def test_what_is_no_proof_is_refused(plug_in, keyed, headers):
    assert await status_of(plug_in, headers=headers) == 401


# --- A new key over the air -------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["Accepted", "RebootRequired"])
async def test_a_taken_key_is_the_key(plug_in, olga, keyed, answer):
    new = await rotate(plug_in, olga, keyed, {"status": answer}, key=OLD)
    assert await status_of(plug_in, key=OLD) == 401
    assert await status_of(plug_in, key=new) == 101
    command = await Command.objects.aget()
    assert (command.payload["value"], command.reason) == ("***", "leaked")


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, ["NotSupported", ""]])
async def test_a_refused_key_never_was_one(plug_in, olga, keyed, answer):
    new = await rotate(plug_in, olga, keyed, answer, key=OLD)
    assert await status_of(plug_in, key=new) == 401
    assert await status_of(plug_in, key=OLD) == 101


async def test_until_an_answer_has_come_both_keys_are_good(plug_in, olga, keyed):
    new = await rotate(plug_in, olga, keyed, None, key=OLD)
    for key in (OLD, new, OLD, new):
        assert await status_of(plug_in, key=key) == 101


async def test_a_station_that_did_not_take_the_key_goes_on_with_the_old_one(plug_in, olga, keyed):
    await rotate(plug_in, olga, keyed, None, key=OLD)
    for _ in range(3):
        assert await status_of(plug_in, key=OLD) == 101


async def test_two_lost_answers_lock_no_station_out(plug_in, olga, keyed):
    """Whichever of the keys the station holds in the end, it is let in."""
    first = await rotate(plug_in, olga, keyed, None, key=OLD)
    second = await rotate(plug_in, olga, keyed, None, key=OLD)
    for key in (second, first, OLD):
        assert await status_of(plug_in, key=key) == 101


async def test_an_answer_settles_what_earlier_ones_left_open(plug_in, olga, keyed):
    first = await rotate(plug_in, olga, keyed, None, key=OLD)
    second = await rotate(plug_in, olga, keyed, {"status": "Accepted"}, key=OLD)
    assert [await status_of(plug_in, key=key) for key in (OLD, first, second)] == [401, 401, 101]


async def test_a_refusal_settles_only_its_own_key(plug_in, olga, keyed):
    first = await rotate(plug_in, olga, keyed, None, key=OLD)
    second = await rotate(plug_in, olga, keyed, {"status": "Rejected"}, key=OLD)
    assert [await status_of(plug_in, key=key) for key in (OLD, second, first)] == [101, 401, 101]


def test_keys_on_their_way_are_bounded_and_the_newest_stay(keyed):
    def command(number):
        return Command(
            station=keyed,
            action="ChangeConfiguration",
            payload={"key": "authorizationkey", "value": f"key number {number}"},
        )

    for number in (*range(1, rotation.MAX_PENDING + 1), 1, 100):
        rotation.expect(command(number))
    kept = set(PendingKey.objects.values_list("digest", flat=True))
    newest = [*range(3, rotation.MAX_PENDING + 1), 1, 100]
    assert kept == {keys.digest(f"key number {number}") for number in newest}


def test_staff_who_say_the_key_end_what_was_on_its_way(keyed, olga):
    PendingKey.objects.create(station=keyed, digest=keys.digest("leaked"))
    registry.update_station(station_id="K-1", changes={"name": "Gate"}, by=olga)
    assert PendingKey.objects.exists()
    registry.update_station(station_id="K-1", changes={"key": None}, by=olga)
    assert not PendingKey.objects.exists()


def test_a_key_is_sent_only_to_a_connected_station_that_uses_one(keyed, olga):
    with pytest.raises(StationOffline):
        rotation.send_new_key(station=keyed, by=olga)
    go_online(keyed)
    keyed.security_profile = 3
    with pytest.raises(KeyNotUsed):
        rotation.send_new_key(station=keyed, by=olga)
    assert not Command.objects.exists()


# --- Profiles, and what is refused ------------------------------------------------------------


async def test_an_accepted_security_profile_changes_nothing_for_handshakes(plug_in, keyed):
    station = await plug_in(key=OLD)
    await station.boot()

    def ask():
        return registry.ask_station(
            station=keyed,
            action="ChangeConfiguration",
            payload={"key": "SecurityProfile", "value": "2"},
            by=None,
        )

    command = await sync_to_async(ask)()

    async def is_answered():
        return (await Command.objects.aget(pk=command.pk)).status == "answered"

    await until(is_answered)
    assert (await Station.objects.aget(pk=keyed.pk)).security_profile == 1
    assert await status_of(plug_in, key=OLD) == 101


async def alert_of(kind, **conditions):
    async def found():
        return await Alert.objects.filter(kind=kind, **(conditions or OPEN)).afirst()

    return await until(found)


async def test_a_downgrade_is_refused_and_told_until_the_station_proves_itself(
    plug_in, keyed, proxied
):
    assert await status_of(plug_in, key=OLD, headers=HTTPS, client=PROXY) == 101
    assert await status_of(plug_in, key=OLD) == 401
    alert = await alert_of("security_downgrade")
    assert (alert.station_id, alert.count) == (keyed.pk, 1)
    assert await status_of(plug_in, key=OLD, headers=HTTPS, client=PROXY) == 101
    assert (await Alert.objects.aget(pk=alert.pk)).resolved_at is not None
    assert (await Station.objects.aget(pk=keyed.pk)).security_profile == 2


async def test_a_key_is_no_proof_where_a_certificate_is_due(plug_in, keyed, proxied):
    await Station.objects.filter(pk=keyed.pk).aupdate(security_profile=3)
    assert await status_of(plug_in, key=OLD, headers=HTTPS, client=PROXY) == 401
    assert await status_of(plug_in) == 401
    assert (await alert_of("security_downgrade")).count == 1
    assert (await alert_of("wrong_key")).count == 1


async def test_only_staff_lower_a_profile(plug_in, keyed, olga, proxied):
    assert await status_of(plug_in, key=OLD, headers=HTTPS, client=PROXY) == 101
    lower = {"security_profile": 1}
    await sync_to_async(registry.update_station)(station_id="K-1", changes=lower, by=olga)
    assert await status_of(plug_in, key=OLD) == 101


async def test_wrong_keys_are_one_alert_that_counts_and_is_resolved(plug_in, keyed):
    for password in (b"guess 1", b"guess 2", b"guess 3"):
        assert await status_of(plug_in, headers=basic(b"K-1", password)) == 401

    async def counted():
        alert = await Alert.objects.filter(kind="wrong_key").afirst()
        return alert if alert and alert.count == 3 else None

    alert = await until(counted)
    assert "guess" not in f"{alert.text} {alert.detail}"
    assert await status_of(plug_in, key=OLD) == 101
    assert (await Alert.objects.aget()).resolved_at is not None
    assert await status_of(plug_in, key="guess 4") == 401
    again = await alert_of("wrong_key")
    assert (again.count, await Alert.objects.acount()) == (1, 2)


def test_a_station_that_came_in_meanwhile_is_not_accused(keyed):
    go_online(keyed)
    before = keyed.connected_at - dt.timedelta(seconds=1)
    late = Refusals(keyed.pk, Cause.WRONG_KEY, 3, before)
    refusals.tell([late, replace(late, station_pk=0)])
    assert not Alert.objects.exists()
    refusals.tell([replace(late, last_at=keyed.connected_at)])
    assert Alert.objects.get().count == 3


async def test_guesses_at_unknown_stations_leave_no_row(plug_in, keyed):
    for number in range(20):
        assert await status_of(plug_in, f"X-{number}", key="guess") == 404
    assert await status_of(plug_in, key="guess") == 401
    assert (await alert_of("wrong_key")).station_id == keyed.pk
    assert await Alert.objects.acount() == 1
    assert await Station.objects.acount() == 1
