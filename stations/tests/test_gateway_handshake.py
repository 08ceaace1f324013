"""Who may open a socket: identity, subprotocol, key, proxy, certificate, and the newest wins."""

import datetime as dt
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sessions_app.models import ChargingSession
from stations import keys, presence
from stations.gateway.process import Gateway
from stations.models import GatewayProcess, PendingKey, Station
from stations.tests.in_process import Denied, InProcessStation

KEY = "0123456789abcdef"
PROXY = "10.0.0.9"


@pytest.fixture
def keyed(k1):
    """Station K-1 with security profile 1 and a key."""
    k1.security_profile, k1.key_digest = 1, keys.digest(KEY)
    k1.save()
    return k1


@pytest.fixture
def proxied(settings):
    settings.CSMS_TRUSTED_PROXIES = ["10.0.0.0/24"]


async def denial(plug_in, *arguments, **options):
    with pytest.raises(Denied) as refused:
        await plug_in(*arguments, **options)
    return refused.value


def certificate(name="K-1", *, days=1, names=1):
    """A client certificate as a proxy hands it on: PEM, percent-encoded."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] * names)
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=3))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return quote(made.public_bytes(serialization.Encoding.PEM).decode())


@pytest.mark.parametrize("path", ["K-1", "k-1", "K-1/", "K%2D1", "%4b-1/"])
async def test_an_identity_is_decoded_once_and_has_no_case(plug_in, k1, path):
    station = await plug_in(path)
    assert station.socket.subprotocol == "ocpp1.6"
    assert (await station.boot())["status"] == "Accepted"


@pytest.mark.parametrize("name", ["K 1", "Станция №1", "a;b=c", "100%", "%41"])
async def test_identities_of_any_printable_characters(plug_in, k1, name):
    await Station.objects.filter(pk=k1.pk).aupdate(station_id=name, identity=name.casefold())
    await plug_in(quote(name, safe=""))
    assert (await Station.objects.aget(pk=k1.pk)).fence == 1


@pytest.mark.parametrize(
    "path", ["K-2", "", "/", "K-1/x", "K%2F1", "K-1%00", "%ff", "x" * 49, "K-1%252F"]
)
async def test_an_identity_that_no_station_has(plug_in, k1, path):
    assert (await denial(plug_in, path)).status == 404


@pytest.mark.parametrize("offered", [("ocpp1.5",), ("ocpp2.0.1", "soap"), ()])
async def test_no_subprotocol_in_common(plug_in, k1, offered):
    assert (await denial(plug_in, subprotocols=offered)).status == 400


async def test_what_we_speak_is_chosen_among_the_offered(plug_in, k1):
    station = await plug_in(subprotocols=("ocpp2.0.1", "ocpp1.6"))
    assert station.socket.subprotocol == "ocpp1.6"


async def test_a_lenient_station_may_offer_no_subprotocol(plug_in, k1):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=True)
    station = await plug_in(subprotocols=())
    assert station.socket.subprotocol is None
    assert (await station.boot())["status"] == "Accepted"


async def test_the_right_key_opens(plug_in, keyed):
    station = await plug_in(key=KEY)
    assert (await station.boot())["status"] == "Accepted"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"key": "wrong"},
        {"key": ""},
        {"key": KEY, "user": "K-2"},
        {"headers": {"Authorization": "Basic !!!"}},
        {"headers": {"Authorization": "Bearer " + KEY}},
    ],
)
async def test_a_wrong_key_is_401(plug_in, keyed, options):
    refused = await denial(plug_in, **options)
    assert refused.status == 401
    assert refused.headers[b"WWW-Authenticate"].startswith(b"Basic ")
    assert (await Station.objects.aget(pk=keyed.pk)).fence == 0


async def test_a_station_without_a_key_row_is_not_open(plug_in, keyed):
    await Station.objects.filter(pk=keyed.pk).aupdate(key_digest="")
    assert (await denial(plug_in, key="")).status == 401


async def test_a_changed_key_and_the_one_before_are_both_good(plug_in, keyed):
    new = "fedcba9876543210"
    await PendingKey.objects.acreate(station=keyed, digest=keys.digest(new))
    for key in (KEY, new):
        await plug_in(key=key)


async def test_profile_2_needs_https_at_a_proxy_of_ours(plug_in, keyed, proxied):
    await Station.objects.filter(pk=keyed.pk).aupdate(security_profile=2)
    https = {"X-Forwarded-Proto": "https"}
    assert (await denial(plug_in, key=KEY)).status == 401
    assert (await denial(plug_in, key=KEY, headers=https)).status == 401
    assert (await denial(plug_in, headers=https, client=PROXY)).status == 401
    await plug_in(key=KEY, headers=https, client=PROXY)


async def test_profile_3_needs_the_certificate_of_the_station(plug_in, k1, proxied):
    await Station.objects.filter(pk=k1.pk).aupdate(security_profile=3)

    async def status(pem, client=PROXY):
        refused = await denial(plug_in, headers={"X-Client-Cert": pem}, client=client)
        return refused.status

    assert await status(certificate(), client="203.0.113.7") == 401
    for bad in (certificate("K-2"), certificate(days=-1), certificate(names=2), "nonsense", ""):
        assert await status(bad) == 401
    await plug_in(headers={"X-Client-Cert": certificate("k-1")}, client=PROXY)


async def test_the_profile_rises_when_the_station_proves_the_higher_one(plug_in, keyed, proxied):
    await plug_in(key=KEY, headers={"X-Forwarded-Proto": "https"}, client=PROXY)
    assert (await Station.objects.aget(pk=keyed.pk)).security_profile == 2
    assert (await denial(plug_in, key=KEY)).status == 401


async def test_an_unknown_station_may_wait_for_approval(plug_in, k1, settings):
    settings.CSMS_UNKNOWN_STATIONS = "pending"
    station = await plug_in("New%201")
    assert (await station.boot())["status"] == "Pending"
    row = await Station.objects.aget(identity="new 1")
    assert (row.station_id, row.registration) == ("New 1", "Pending")
    await Station.objects.filter(pk=row.pk).aupdate(registration="Accepted")
    assert (await station.boot())["status"] == "Accepted"


async def test_who_sees_the_socket_open_sees_the_station_online(plug_in, k1):
    await plug_in()
    row = await Station.objects.select_related("owner").aget(pk=k1.pk)
    assert (row.is_online, row.fence, row.subprotocol) == (True, 1, "ocpp1.6")


async def test_the_newest_socket_wins_and_the_old_ones_close_changes_nothing(plug_in, k1):
    old = await plug_in()
    new = await plug_in()
    assert await old.wait_closed() == 4001
    await old.close()
    row = await Station.objects.select_related("owner").aget(pk=k1.pk)
    assert (row.is_online, row.fence) == (True, 2)
    assert (await new.boot())["status"] == "Accepted"
    await new.close()
    row = await Station.objects.select_related("owner").aget(pk=k1.pk)
    assert row.owner is None


async def test_a_stop_that_arrives_on_the_old_socket_counts(plug_in, k1):
    old = await plug_in(is_half_open=True)
    start = {"connectorId": 1, "idTag": "x", "meterStart": 0, "timestamp": "2026-11-24T06:00:00Z"}
    started = await old.call("StartTransaction", start)
    new = await plug_in()
    assert await old.wait_closed() == 4001
    stop = {
        "transactionId": started["transactionId"],
        "meterStop": 0,
        "timestamp": "2026-11-24T06:00:01Z",
    }
    await old.send_frame([2, "s", "StopTransaction", stop])
    await old.close()
    session = await ChargingSession.objects.aget(transaction_id=started["transactionId"])
    assert session.stop_received_at is not None
    assert (await new.boot())["status"] == "Accepted"


async def test_a_station_that_moves_to_another_process_is_fenced(plug_in, gateway, k1):
    old = await plug_in()
    other = Gateway()
    async with InProcessStation(other, "/ws/K-1") as new:
        assert await old.wait_closed() == 4001
        await old.close()
        row = await Station.objects.select_related("owner").aget(pk=k1.pk)
        assert (row.owner_id, row.fence) == (other.id, 2)
        assert (await new.boot())["status"] == "Accepted"
    await other.stop()
    assert not await GatewayProcess.objects.filter(pk=other.id).aexists()


async def test_a_lost_message_about_a_move_is_made_good(plug_in, gateway, k1):
    old = await plug_in()
    await Station.objects.filter(pk=k1.pk).aupdate(fence=7)
    assert await old.wait_closed() == 4001


async def test_a_clean_end_gives_up_the_lease_at_once(k1):
    gateway = Gateway()
    station = InProcessStation(gateway, "/ws/K-1")
    await station.connect()
    await gateway.stop()
    assert station.close_code == 1000
    row = await Station.objects.select_related("owner").aget(pk=k1.pk)
    assert not row.is_online
    with pytest.raises(Denied) as refused:
        await InProcessStation(gateway, "/ws/K-1").connect()
    assert refused.value.status == 503


async def test_a_dead_process_is_offline_after_ten_seconds(plug_in, k1):
    await plug_in()
    row = await Station.objects.select_related("owner").aget(pk=k1.pk)
    row.owner.lease_at -= presence.RENEW_EVERY
    assert row.is_online
    row.owner.lease_at -= dt.timedelta(seconds=8)
    assert not row.is_online
