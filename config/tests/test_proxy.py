"""Security profiles 2 and 3 through the real proxy: what it verifies, and what it lets nobody say.

Whitepaper "Improved security for OCPP 1.6-J", edition 3: A00 (profiles), A02 (certificates).
"""

import ssl
from urllib.parse import quote

import pytest
import pytest_asyncio
import websockets
from asgiref.sync import sync_to_async
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connections

from config.tests.proxy import Proxy, private_pem, self_signed
from config.tests.server import ServerProcess
from stations import keys
from stations.certificates import authority, issue
from stations.models import Station, StationCertificate
from stations.tests.bare_station import BareStation

pytestmark = [pytest.mark.e2e, pytest.mark.nginx]

KEY = "0123456789abcdef"


@pytest.fixture
def server(transactional_db, station, tmp_path, settings):
    """A server on the test's database that trusts a proxy on loopback. K-1 has a key."""
    settings.CSMS_CA_DIR = str(tmp_path / "ca")
    Station.objects.filter(pk=station.pk).update(security_profile=1, key_digest=keys.digest(KEY))
    with ServerProcess.on_test_database(
        tmp_path, CSMS_CA_DIR=settings.CSMS_CA_DIR, CSMS_TRUSTED_PROXIES="127.0.0.1"
    ) as running:
        yield running


@pytest.fixture
def proxy(server, tmp_path):
    with Proxy(tmp_path / "nginx", server_port=server.port) as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def no_connection_is_left():
    """A test's asynchronous queries run in a thread that would keep its connection."""
    yield
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def identity(proxy, tmp_path):
    """The file of the certificate that K-1 asked for over TLS with its key, and got."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "K-1")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    request = csr.public_bytes(serialization.Encoding.PEM).decode()
    answers = {"CertificateSigned": {"status": "Accepted"}}
    tls = proxy.tls()
    async with BareStation(proxy.url("K-1"), key=KEY, tls=tls, answers=answers) as k1:
        await k1.boot()
        assert await k1.call("SignCertificate", {"csr": request}) == {"status": "Accepted"}
        signed = await k1.expect_call("CertificateSigned")
    path = tmp_path / "k-1.pem"
    path.write_text(signed["certificateChain"] + private_pem(key))
    return path


async def refusal(url, **options):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await BareStation(url, **options).connect()
    return refused.value.response.status_code


async def profile_of(station):
    return (await Station.objects.aget(pk=station.pk)).security_profile


def as_header(path):
    """What the proxy would say of a certificate, written by a client."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return {"X-Client-Cert": quote(authority.pem_of(certificate))}


async def test_a_key_over_tls_is_profile_2(proxy, station):
    async with BareStation(proxy.url("K-1"), key=KEY, tls=proxy.tls()) as k1:
        assert (await k1.boot())["status"] == "Accepted"
    assert await profile_of(station) == 2


async def test_a_station_comes_without_a_key_by_the_certificate_it_asked_for(
    proxy, station, identity
):
    async with BareStation(proxy.url("K-1"), tls=proxy.tls(identity)) as k1:
        assert (await k1.boot())["status"] == "Accepted"
    assert await profile_of(station) == 3
    certificate = await StationCertificate.objects.aget(station=station)
    assert certificate.status == StationCertificate.Status.INSTALLED


async def test_after_profile_3_a_key_alone_is_not_enough(proxy, identity):
    async with BareStation(proxy.url("K-1"), tls=proxy.tls(identity)):
        pass
    assert await refusal(proxy.url("K-1"), key=KEY, tls=proxy.tls()) == 401
    assert await refusal(proxy.plain_url("K-1"), key=KEY) == 401


async def test_a_key_does_not_come_without_tls_once_it_came_with_it(proxy, identity):
    assert await refusal(proxy.plain_url("K-1"), key=KEY) == 401


async def test_a_revoked_certificate_is_refused_at_once(proxy, station, identity, olga):
    async with BareStation(proxy.url("K-1"), tls=proxy.tls(identity)):
        pass
    certificate = await StationCertificate.objects.aget(station=station)
    revoke = sync_to_async(issue.revoke)
    await revoke(certificate_id=certificate.pk, by=olga, reason="The key was copied.")
    assert await refusal(proxy.url("K-1"), tls=proxy.tls(identity)) == 401


async def test_a_header_that_the_client_writes_proves_nothing(proxy, identity):
    forged = as_header(identity)
    assert await refusal(proxy.url("K-1"), headers=forged, tls=proxy.tls()) == 401
    assert await refusal(proxy.plain_url("K-1"), headers=forged) == 401


async def test_a_header_beside_a_certificate_is_overwritten(proxy, identity, other):
    """K-2 is not let in by its header, since the certificate is that of K-1."""
    assert await refusal(proxy.url(other.station_id), tls=proxy.tls(identity)) == 401
    forged = {"X-Client-Cert": quote(self_signed(other.station_id)[0])}
    url = proxy.url(other.station_id)
    assert await refusal(url, headers=forged, tls=proxy.tls(identity)) == 401
    async with BareStation(proxy.url("K-1"), headers=forged, tls=proxy.tls(identity)) as k1:
        assert (await k1.boot())["status"] == "Accepted"


async def test_a_certificate_of_nobody_is_refused_by_the_proxy(proxy, tmp_path):
    stranger = tmp_path / "stranger.pem"
    stranger.write_text("".join(self_signed("K-1")))
    assert await refusal(proxy.url("K-1"), key=KEY, tls=proxy.tls(stranger)) == 400


async def test_a_station_that_does_not_know_the_server_does_not_tell_it_the_key(proxy):
    """TLS server-side certificate: the station ends the handshake (conformance case 086)."""
    with pytest.raises(ssl.SSLCertVerificationError):
        await BareStation(proxy.url("K-1"), key=KEY, tls=ssl.create_default_context()).connect()


@pytest.fixture
def other(station):
    return Station.objects.create(
        station_id="K-2", identity="k-2", security_profile=2, key_digest=keys.digest(KEY)
    )
