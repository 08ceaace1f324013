"""The security extension (whitepaper, edition 3): profiles, keys, certificates, events."""

import datetime as dt
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .kit import KEY, booted, stamp, status

SIGN = {"requestedMessage": "SignChargePointCertificate"}
TLS = {"X-Forwarded-Proto": "https"}
"""What the proxy that ends TLS says of a connection."""


def request_of(common_name, *, curve=None):
    """A key and its certificate signing request, as PEM."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return key, csr.public_bytes(serialization.Encoding.PEM).decode()


def presented(certificate):
    """What the proxy says of a client certificate that it verified."""
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return TLS | {"X-Client-Cert": urllib.parse.quote(pem)}


async def renewed(central, point, station_id):
    """Let the station ask for a certificate and get it; return the leaf."""
    point.answers["ExtendedTriggerMessage"] = {"status": "Accepted"}
    point.answers["CertificateSigned"] = {"status": "Accepted"}
    await central.carry_out(station_id, "ExtendedTriggerMessage", SIGN)
    assert await point.expect_call("ExtendedTriggerMessage") == SIGN
    key, csr = request_of(station_id)
    assert await point.call("SignCertificate", {"csr": csr}) == {"status": "Accepted"}
    chain = (await point.expect_call("CertificateSigned"))["certificateChain"]
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    assert leaf.public_key() == key.public_key()
    return leaf


async def test_tc_074_renewal_by_request(central, point, station_id):
    await booted(point)
    leaf = await renewed(central, point, station_id)
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == [station_id]
    await point.close()
    async with central.point(station_id, key=None, headers=presented(leaf)) as again:
        assert (await again.boot())["status"] == "Accepted"


async def test_tc_077_the_station_does_not_take_it(central, point, station_id):
    await booted(point)
    point.answers["CertificateSigned"] = {"status": "Rejected"}
    _, csr = request_of(station_id)
    assert await point.call("SignCertificate", {"csr": csr}) == {"status": "Accepted"}
    await point.expect_call("CertificateSigned")
    event = {"type": "InvalidChargePointCertificate", "timestamp": stamp()}
    assert await point.call("SecurityEventNotification", event) == {}


async def test_tc_078_a_root_that_is_none(point):
    await booted(point)
    event = {"type": "InvalidCentralSystemCertificate", "timestamp": stamp(), "techInfo": "expired"}
    assert await point.call("SecurityEventNotification", event) == {}


@pytest.mark.parametrize("csr", ["", "csr", "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n"])
async def test_a_request_that_cannot_be_read_is_rejected(point, csr):
    assert await point.call("SignCertificate", {"csr": csr}) == {"status": "Rejected"}


async def test_a_weak_key_is_rejected(point, station_id):
    _, csr = request_of(station_id, curve=ec.SECP192R1())
    assert await point.call("SignCertificate", {"csr": csr}) == {"status": "Rejected"}


async def test_a_certificate_for_another_station_is_not_made(central, point):
    _, csr = request_of(await central.declare())
    assert await point.call("SignCertificate", {"csr": csr}) == {"status": "Rejected"}


async def test_tc_083_a_higher_profile_bars_the_lower(central, point, station_id):
    """The key says nothing; the profile rises when the station first comes with the higher one."""
    point.answers["Reset"] = {"status": "Accepted"}
    await booted(point)
    change = {"key": "SecurityProfile", "value": "2"}
    row = await central.carry_out(station_id, "ChangeConfiguration", change)
    assert row["response"] == {"status": "Accepted"}
    await central.carry_out(station_id, "Reset", {"type": "Hard"})
    await point.close()
    async with central.point(station_id) as before:
        assert (await before.boot())["status"] == "Accepted"
    async with central.point(station_id, headers=TLS) as higher:
        assert (await higher.boot())["status"] == "Accepted"
        for connector_id in (0, 1):
            await status(higher, "Available", connector_id)
    assert await central.refusal(station_id) == 401
    async with central.point(station_id, headers=TLS) as restored:
        assert (await restored.boot())["status"] == "Accepted"


async def test_tc_085_user_and_password(central, station_id):
    async with central.point(station_id) as point:
        assert (await point.boot())["status"] == "Accepted"
    assert await central.refusal(station_id, key="not the key of this one") == 401
    assert await central.refusal(station_id, key=None) == 401
    assert await central.refusal(station_id, user="someone-else") == 401
    assert await central.refusal(station_id, key=KEY + " ") == 401


async def test_tc_086_tls(central, station_id):
    async with central.point(station_id, headers=TLS) as point:
        assert (await point.boot())["status"] == "Accepted"
    row = await central.station(station_id)
    assert row["security_profile"] == 2


async def test_tc_087_client_certificate(central, point, station_id):
    await booted(point)
    leaf = await renewed(central, point, station_id)
    await point.close()
    async with central.point(station_id, key=None, headers=presented(leaf)) as again:
        await booted(again)
    assert (await central.station(station_id))["security_profile"] == 3
    other = await central.declare(security_profile=3, key=None)
    assert await central.refusal(other, key=None, headers=presented(leaf)) == 401
    assert await central.refusal(station_id, headers=TLS) == 401


async def test_a_certificate_that_the_station_made_itself_proves_nothing(central):
    station_id = await central.declare(security_profile=3, key=None)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, station_id)])
    now = dt.datetime.now(dt.UTC)
    forged = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now.replace(year=now.year + 1))
        .sign(key, hashes.SHA256())
    )
    assert await central.refusal(station_id, key=None, headers=presented(forged)) == 401


@pytest.mark.parametrize("offered", [("ocpp0.1",), ("ocpp2.0.1",), ("OCPP1.6",), ()])
async def test_tc_088_no_version_in_common(central, station_id, offered):
    assert await central.refusal(station_id, subprotocols=offered) == 400


async def test_tc_088_a_version_in_common(central, station_id):
    async with central.point(station_id, subprotocols=("ocpp0.1", "ocpp1.6")) as point:
        assert point.socket.subprotocol == "ocpp1.6"


EVENTS = [
    {"type": "FirmwareUpdated"},
    {"type": "SettingSystemTime", "techInfo": "ahead by 3 s"},
    {"type": "TamperDetectionActivated"},
    {"type": "AnEventOfAVendor", "techInfo": ""},
]


@pytest.mark.parametrize("event", EVENTS)
async def test_a_security_event_is_confirmed_before_boot_and_after(point, event):
    event = event | {"timestamp": stamp()}
    assert await point.call("SecurityEventNotification", event) == {}
    await point.boot()
    assert await point.call("SecurityEventNotification", event) == {}
