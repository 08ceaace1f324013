"""Where a webhook goes: only to where it may, whatever a name says the second time."""

import datetime as dt
import ipaddress
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing.hooks import addresses, post
from billing.hooks.addresses import Refused, Unreachable, is_allowed
from billing.tests.receiver import listening

HEADERS = {"webhook-id": "1"}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_what_only_this_host_reaches_is_refused(address, settings):
    settings.CSMS_WEBHOOK_NETWORKS = []
    assert not is_allowed(ipaddress.ip_address(address), scheme="https")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_the_internet_is_allowed_by_https_and_not_by_http(address, settings):
    settings.CSMS_WEBHOOK_NETWORKS = []
    assert is_allowed(ipaddress.ip_address(address), scheme="https")
    assert not is_allowed(ipaddress.ip_address(address), scheme="http")


def test_a_network_of_the_setting_is_allowed_and_its_neighbour_is_not(settings):
    settings.CSMS_WEBHOOK_NETWORKS = ["10.0.5.0/24"]
    for scheme in ("http", "https"):
        assert is_allowed(ipaddress.ip_address("10.0.5.9"), scheme=scheme)
        assert not is_allowed(ipaddress.ip_address("10.0.6.9"), scheme=scheme)


def answering(monkeypatch, *answers):
    """Let the resolver answer so, one list of addresses a question; return the questions."""
    asked, left = [], list(answers)

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        found = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_inside_is_refused_when_it_is_sent(monkeypatch, settings):
    settings.CSMS_WEBHOOK_NETWORKS = []
    answering(monkeypatch, ["10.0.0.1", "127.0.0.1"])
    with pytest.raises(Refused):
        post.send("https://erp.example/", b"{}", HEADERS)


def test_localhost_leads_inside(settings):
    settings.CSMS_WEBHOOK_NETWORKS = []
    with pytest.raises(Refused):
        addresses.resolve(addresses.read("https://localhost/"))


def test_a_name_that_nobody_knows_is_unreachable():
    with pytest.raises(Unreachable):
        addresses.resolve(addresses.read("https://nobody.invalid/"))


def test_the_connection_goes_to_the_address_that_was_judged(monkeypatch, settings):
    settings.CSMS_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with listening() as receiver:
        asked = answering(monkeypatch, ["127.0.0.1"])
        answer = post.send(f"http://erp.example:{receiver.port}/in?a=1", b"{}", HEADERS)
    assert answer.status == 204
    assert asked == ["erp.example"]
    assert receiver.got[0][0]["host"] == f"erp.example:{receiver.port}"


def test_of_several_addresses_the_next_is_tried_and_forbidden_ones_never(monkeypatch, settings):
    settings.CSMS_WEBHOOK_NETWORKS = ["127.0.0.0/24"]
    with listening() as receiver:
        answering(monkeypatch, ["127.0.1.9", "127.0.0.9", "127.0.0.1"])
        assert post.send(f"http://erp.example:{receiver.port}/", b"{}", HEADERS).is_taken


@pytest.fixture
def certify(tmp_path, monkeypatch):
    """Make an authority that this system believes, and a server's certificate for a name."""

    def make(name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = tmp_path / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context, pem

    post._trust.cache_clear()
    yield make
    post._trust.cache_clear()


def test_the_certificate_is_checked_against_the_name(certify, monkeypatch, settings):
    settings.CSMS_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    context, pem = certify("erp.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with listening(tls=context) as receiver:
        answering(monkeypatch, ["127.0.0.1"], ["127.0.0.1"])
        assert post.send(f"https://erp.example:{receiver.port}/", b"{}", HEADERS).is_taken
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            post.send(f"https://other.example:{receiver.port}/", b"{}", HEADERS)
    assert len(receiver.got) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(certify, monkeypatch, settings):
    settings.CSMS_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    context, _ = certify("erp.example")
    with listening(tls=context) as receiver:
        answering(monkeypatch, ["127.0.0.1"])
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            post.send(f"https://erp.example:{receiver.port}/", b"{}", HEADERS)
    assert receiver.got == []
