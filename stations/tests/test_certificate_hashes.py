"""The names that stations give to roots are those that openssl computes (RFC 6960 §4.1.1)."""

import datetime as dt
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from stations.certificates import authority, roots

KEYS = {
    "curve": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def a_root(kind, serial):
    key = KEYS[kind]()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Корень Kubat")])
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )


def as_openssl_names(root, algorithm, directory):
    """What `openssl ocsp` would ask of this root, by the words of its text."""
    path = directory / "root.pem"
    path.write_text(authority.pem_of(root))
    told = subprocess.run(
        ["openssl", "ocsp", f"-{algorithm.lower()}", "-issuer", path, "-cert", path, "-req_text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\\\n", "")  # it breaks long lines
    return dict(re.findall(r"(Issuer Name Hash|Issuer Key Hash|Serial Number): (\w+)", told))


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
@pytest.mark.parametrize("serial", [1, 0x0A, 0x80, 0xF123456789ABCDEF])
def test_a_root_is_named_as_openssl_names_it(kind, algorithm, serial, tmp_path):
    root = a_root(kind, serial)
    expected = as_openssl_names(root, algorithm, tmp_path)
    named = roots.hash_data(root, algorithm)
    assert named["hashAlgorithm"] == algorithm
    assert named["issuerNameHash"] == expected["Issuer Name Hash"].lower()
    assert named["issuerKeyHash"] == expected["Issuer Key Hash"].lower()
    assert int(named["serialNumber"], 16) == int(expected["Serial Number"], 16) == serial


def test_roots_of_one_name_with_other_keys_are_not_taken_for_each_other():
    one, other = roots.hash_data(a_root("curve", 7)), roots.hash_data(a_root("curve", 7))
    assert one["issuerNameHash"] == other["issuerNameHash"]
    assert one["issuerKeyHash"] != other["issuerKeyHash"]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA1", "sha256", ""])
def test_an_algorithm_that_ocpp_does_not_have_is_refused(algorithm):
    with pytest.raises(KeyError):
        roots.hash_data(a_root("curve", 7), algorithm)
