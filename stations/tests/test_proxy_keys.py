"""The files that a proxy ends TLS with: made once, renewed in time, and never over another's."""

import datetime as dt
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from config.tests.proxy import self_signed
from stations.certificates import authority, proxy

NAMES = ["kubat.example.org", ".example.net", "192.0.2.1", "[::1]"]


@pytest.fixture
def place(tmp_path, settings):
    settings.CSMS_CA_DIR = str(tmp_path / "ca")
    return tmp_path / "tls"


def read(place):
    return {path.name: path.read_text() for path in place.iterdir()}


def test_a_new_certificate_is_signed_by_our_root_and_bears_every_name(place):
    assert proxy.prepare(place, NAMES)
    certificate, root = x509.load_pem_x509_certificates((place / "server.pem").read_bytes())
    assert authority.load().certificate == root
    assert authority.load().has_signed(certificate)
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert named.get_values_for_type(x509.DNSName) == ["kubat.example.org", "*.example.net"]
    assert [str(each) for each in named.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "::1"]
    key = serialization.load_pem_private_key((place / "server.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert (place / "server.key").stat().st_mode & 0o777 == 0o600


def test_each_installation_has_a_key_of_its_own(place, settings):
    proxy.prepare(place, NAMES)
    proxy.prepare(place.with_name("other"), NAMES)
    assert read(place)["server.key"] != read(place.with_name("other"))["server.key"]


def test_a_good_certificate_stays(place):
    proxy.prepare(place, NAMES)
    before = read(place)
    assert not proxy.prepare(place, NAMES[:2])
    assert read(place) == before


def test_ours_is_replaced_when_it_lacks_a_name_or_ends_soon(place, monkeypatch):
    proxy.prepare(place, NAMES[:1])
    assert proxy.prepare(place, NAMES)
    late = timezone.now() + authority.SERVER_LIFE - dt.timedelta(days=80)
    monkeypatch.setattr(timezone, "now", lambda: late)
    assert proxy.prepare(place, NAMES)
    assert not proxy.prepare(place, NAMES)


def test_a_certificate_of_another_authority_is_never_touched(place):
    place.mkdir()
    certificate, key = self_signed("kubat.example.org")
    (place / "server.pem").write_text(certificate)
    (place / "server.key").write_text(key)
    assert not proxy.prepare(place, NAMES)
    assert read(place) == {
        "server.pem": certificate,
        "server.key": key,
        "stations.pem": authority.load().pem,
    }


def test_a_root_that_was_trusted_stays_trusted(place, tmp_path):
    """Certificates of an old root are good until they run out (adr/0040)."""
    proxy.prepare(place, NAMES)
    old = authority.load().pem
    shutil.move(tmp_path / "ca", tmp_path / "old")
    authority._load.cache_clear()
    proxy.prepare(place, NAMES)
    proxy.prepare(place, NAMES)
    assert (place / "stations.pem").read_text() == authority.load().pem + old


def test_the_command_names_what_is_reached_and_what_is_wrong(place, settings, capsys):
    settings.ALLOWED_HOSTS = ["*"]
    call_command("proxy_keys", str(place))
    assert capsys.readouterr().err == "The proxy shows a new certificate of our own.\n"
    call_command("proxy_keys", str(place))
    assert capsys.readouterr().err == "The proxy shows the certificate that is there.\n"
    Path(place / "server.pem").write_text("no certificate")
    with pytest.raises(CommandError, match="tls"):
        call_command("proxy_keys", str(place))
