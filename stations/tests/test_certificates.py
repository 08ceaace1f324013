"""Certificates of stations: judged, signed, sent, proved, renewed and revoked."""

import base64
import datetime as dt
import os
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.db import transaction
from django.utils import timezone

from billing.errors import Invalid
from sessions_app.services import calls
from stations import presence
from stations.certificates import authority, issue, requests, roots
from stations.errors import CertificateEnded, CertificateNotFound, StationOffline
from stations.models import Alert, Command, InstalledRoot, Station, StationCertificate
from stations.tests.cast import break_rows, go_online, run_at_once
from stations.tests.requests import PEM, name_of, new_key, request_of, self_signed

Status = StationCertificate.Status


@pytest.fixture(autouse=True)
def ca(settings, tmp_path):
    """An authority of the test's own."""
    settings.CSMS_CA_DIR = str(tmp_path / "ca")
    return tmp_path / "ca"


def sent(station):
    """The CertificateSigned commands of a station, the oldest first."""
    commands = Command.objects.filter(station=station, action="CertificateSigned")
    return list(commands.order_by("created_at"))


def signed(station, request=None):
    """Let the station ask; return the row and the certificate that went out."""
    assert issue.sign(station=station, request=request or request_of("K-1"))
    row = station.certificates.first()
    return row, x509.load_pem_x509_certificate(row.pem.encode())


def answer(command, status):
    Command.objects.filter(pk=command.pk).update(status=Command.Status.SENT)
    calls.record_answer(command.pk, {"status": status})


# --- The authority -------------------------------------------------------------------------------


def test_the_root_is_made_once_and_kept(ca):
    first = authority.load()
    authority._load.cache_clear()
    assert authority.load().certificate == first.certificate
    assert (ca / "root.key").stat().st_mode & 0o777 == 0o600
    assert ca.stat().st_mode & 0o777 == 0o700


def test_processes_that_make_it_at_once_have_one_root(ca):
    made, barrier = [], threading.Barrier(8)

    def make():
        barrier.wait(10)
        made.append(authority._load.__wrapped__(str(ca)).pem)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert sorted(os.listdir(ca)) == ["root.key", "root.pem"]


def test_a_key_that_is_not_the_roots_is_not_used(ca):
    authority.load()
    other = authority._private_pem(new_key())
    (ca / "root.key").write_bytes(other)
    authority._load.cache_clear()
    with pytest.raises(ValueError, match="not that of the certificate"):
        authority.load()


def test_a_certificate_is_what_openssl_calls_good(ca, tmp_path):
    csr = x509.load_pem_x509_csr(request_of("K-1").encode())
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(authority.load().issue(csr, subject=name_of("K-1")))
    verified = subprocess.run(
        ["openssl", "verify", "-purpose", "sslclient", "-CAfile", str(ca / "root.pem"), str(leaf)],
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stderr
    certificate = x509.load_pem_x509_certificate(leaf.read_bytes())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not basic.ca


# --- Requests ------------------------------------------------------------------------------------

NAMES = {"k-1", "sn-77"}


@pytest.mark.parametrize("names", [("K-1",), ("k-1",), ("SN-77",), ()])
def test_a_request_by_a_name_of_the_station_or_by_none_is_taken(names):
    assert requests.read(request_of(*names), names=NAMES).is_signature_valid


def test_a_request_may_be_bare_base64():
    bare = "".join(request_of("K-1").splitlines()[1:-1])
    assert requests.read(bare, names=NAMES)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "read"),
        ("no request", "read"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----", "read"),
        (request_of("K-2"), "another station"),
        (request_of("K-1", "K-2"), "another station"),
        (request_of("K-1 "), "another station"),
        (request_of("K-1", key=rsa.generate_private_key(65537, 1024)), "too weak"),
        (request_of("K-1", key=ec.generate_private_key(ec.SECP192R1())), "too weak"),
    ],
)
def test_a_request_is_refused(text, cause):
    with pytest.raises(requests.RequestRefused, match=cause):
        requests.read(text, names=NAMES)


def test_a_key_of_a_kind_that_stations_do_not_have_is_refused():
    key = ed25519.Ed25519PrivateKey.generate()
    csr = x509.CertificateSigningRequestBuilder().subject_name(name_of("K-1")).sign(key, None)
    with pytest.raises(requests.RequestRefused, match="not supported"):
        requests.read(csr.public_bytes(PEM).decode(), names=NAMES)


def test_a_request_with_another_ones_signature_is_refused():
    text = request_of("K-1")
    der = bytearray(x509.load_pem_x509_csr(text.encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(requests.RequestRefused, match=r"own key|read"):
        requests.read(base64.b64encode(bytes(der)).decode(), names=NAMES)


# --- Signed, sent and followed -------------------------------------------------------------------


def test_a_signed_request_goes_out_behind_the_answer(online):
    key = new_key()
    row, certificate = signed(online, request_of("K-1", key=key))
    assert certificate.public_key() == key.public_key()
    assert (row.status, row.attempts) == (Status.ISSUED, 1)
    (command,) = sent(online)
    assert (command.lane, command.fence) == (Command.Lane.ANSWER, None)
    chain = x509.load_pem_x509_certificates(command.payload["certificateChain"].encode())
    assert chain == [certificate, authority.load().certificate]


def test_the_serial_number_may_be_the_name(online):
    online.serial_number = "SN-77"
    online.save()
    _, certificate = signed(online, request_of("SN-77"))
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["SN-77"]


def test_without_a_name_it_bears_the_identity(online):
    _, certificate = signed(online, request_of())
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["K-1"]


def test_the_same_request_gets_the_same_certificate(online):
    request = request_of("K-1")
    row, _ = signed(online, request)
    signed(online, request)
    assert len(sent(online)) == 1  # it is on its way
    answer(sent(online)[0], "Accepted")
    again, _ = signed(online, request)
    assert again == row
    assert StationCertificate.objects.count() == 1
    one, other = (command.payload for command in sent(online))
    assert one == other


def test_a_station_that_asks_without_end_is_refused_until_a_day_has_passed(online):
    for _ in range(issue.MAX_A_DAY):
        signed(online, request_of("K-1"))
    assert not issue.sign(station=online, request=request_of("K-1"))
    assert StationCertificate.objects.count() == len(sent(online)) == issue.MAX_A_DAY
    assert "too many" in Alert.objects.get(kind=issue.REFUSED, resolved_at=None).text
    StationCertificate.objects.update(issued_at=timezone.now() - dt.timedelta(days=1))
    assert issue.sign(station=online, request=request_of("K-1"))


def test_a_refused_request_opens_one_alert_that_a_good_one_resolves(online):
    for _ in range(2):
        assert not issue.sign(station=online, request="nonsense")
    alert = Alert.objects.get(kind=issue.REFUSED)
    assert (alert.count, alert.resolved_at) == (2, None)
    signed(online)
    alert.refresh_from_db()
    assert alert.resolved_at


@pytest.mark.parametrize("registration", ["Pending", "Rejected"])
def test_a_station_that_is_not_accepted_gets_none(online, registration):
    online.registration = registration
    online.save()
    assert not issue.sign(station=online, request=request_of("K-1"))
    assert not StationCertificate.objects.exists()


def test_accepted_it_is_installed(online):
    row, _ = signed(online)
    answer(sent(online)[0], "Accepted")
    row.refresh_from_db()
    assert row.status == Status.INSTALLED


def test_rejected_it_proves_nothing_and_someone_is_told(online):
    row, certificate = signed(online)
    answer(sent(online)[0], "Rejected")
    row.refresh_from_db()
    assert row.status == Status.REJECTED
    assert not issue.proves(online, certificate)
    assert Alert.objects.filter(kind=issue.NOT_TAKEN, resolved_at=None).exists()


def test_what_a_socket_died_under_is_sent_again_but_not_for_ever(online):
    row, _ = signed(online)
    for attempt in range(issue.MAX_ATTEMPTS):
        command = sent(online)[-1]
        Command.objects.filter(pk=command.pk).update(status=Command.Status.SENT, fence=attempt + 1)
        calls.cut_off(station_pk=online.pk, fence=attempt + 2)
    assert len(sent(online)) == issue.MAX_ATTEMPTS
    row.refresh_from_db()
    assert row.status == Status.ISSUED


def test_a_call_that_staff_sent_by_hand_moves_no_row(online):
    row, _ = signed(online)
    by_hand = Command.objects.create(
        station=online, action="CertificateSigned", lane=Command.Lane.ASKED, payload={}
    )
    answer(by_hand, "Rejected")
    row.refresh_from_db()
    assert row.status == Status.ISSUED


# --- What proves a station -----------------------------------------------------------------------


@pytest.fixture
def other(station):
    station.pk, station.station_id, station.identity = None, "K-2", "k-2"
    station.save()
    return station


def test_a_certificate_proves_its_own_station_alone(online, other):
    k1 = Station.objects.get(identity="k-1")
    _, certificate = signed(k1)
    assert issue.proves(k1, certificate)
    assert not issue.proves(other, certificate)


@pytest.mark.parametrize(
    ("mode", "common_name", "proves"),
    [
        ("verified", "K-1", True),
        ("verified", "k-1", True),
        ("verified", "K-2", False),
        ("issued", "K-1", False),
    ],
)
def test_a_certificate_of_another_authority(settings, station, mode, common_name, proves):
    settings.CSMS_CLIENT_CERTIFICATES = mode
    assert issue.proves(station, self_signed(common_name)) is proves


def test_a_certificate_of_ours_without_a_row_proves_nothing(online):
    """A restored backup may have forgotten it, and with it that it was revoked."""
    row, certificate = signed(online)
    row.delete()
    assert not issue.proves(online, certificate)


def test_an_authority_with_the_name_of_ours_is_not_ours(station):
    name = authority.load().certificate.subject
    stranger = self_signed("K-1", issuer=name)
    assert issue.proves(station, stranger)


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)])
def test_out_of_its_time_a_certificate_proves_nothing(station, days):
    assert not issue.proves(station, self_signed("K-1", days=days))


def test_used_it_is_installed_and_those_before_it_are_of_no_use(online):
    old, old_certificate = signed(online)
    new, new_certificate = signed(online)
    assert issue.proves(online, old_certificate)
    issue.note_use(online, new_certificate)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.status, new.status) == (Status.SUPERSEDED, Status.INSTALLED)
    assert not issue.proves(online, old_certificate)
    assert issue.proves(online, new_certificate)


def test_the_old_one_is_good_until_the_new_one_was_used(online):
    old, old_certificate = signed(online)
    signed(online)
    issue.note_use(online, old_certificate)
    old.refresh_from_db()
    assert old.status == Status.INSTALLED
    assert set(online.certificates.values_list("status", flat=True)) == {"installed", "issued"}


# --- Revoked -------------------------------------------------------------------------------------


def test_revoked_it_proves_nothing_is_listed_and_goes_out_no_more(online, olga):
    row, certificate = signed(online)
    issue.revoke(certificate_id=row.pk, by=olga, reason="stolen")
    row.refresh_from_db()
    assert (row.status, row.revoked_by, row.reason) == (Status.REVOKED, olga, "stolen")
    assert not issue.proves(online, certificate)
    assert sent(online)[0].status == Command.Status.EXPIRED
    listed = x509.load_der_x509_crl(issue.revocation_list())
    assert [entry.serial_number for entry in listed] == [certificate.serial_number]
    assert listed.is_signature_valid(authority.load().certificate.public_key())


def test_the_list_is_empty_before_anything_is_revoked(online):
    signed(online)
    assert list(x509.load_der_x509_crl(issue.revocation_list())) == []


def test_what_has_ended_cannot_be_revoked(online, olga):
    row, _ = signed(online)
    issue.revoke(certificate_id=row.pk, by=olga, reason="stolen")
    with pytest.raises(CertificateEnded):
        issue.revoke(certificate_id=row.pk, by=olga, reason="stolen")
    with pytest.raises(CertificateNotFound):
        issue.revoke(certificate_id=row.pk + 1, by=olga, reason="stolen")


def test_after_a_revocation_the_same_request_gets_a_new_certificate(online, olga):
    request = request_of("K-1")
    row, _ = signed(online, request)
    issue.revoke(certificate_id=row.pk, by=olga, reason="stolen")
    again, _ = signed(online, request)
    assert again != row


# --- Renewed -------------------------------------------------------------------------------------


def ends_in(row, **left):
    StationCertificate.objects.filter(pk=row.pk).update(
        status=Status.INSTALLED, not_after=timezone.now() + dt.timedelta(**left)
    )


def renewals(station):
    return Command.objects.filter(station=station, action=issue.TRIGGER)


def test_a_station_is_asked_in_time_once_a_day(online):
    row, _ = signed(online)
    now = timezone.now()
    ends_in(row, days=40)
    issue.renew_due(now)
    assert not renewals(online).exists()
    ends_in(row, days=29)
    issue.renew_due(now)
    issue.renew_due(now)
    (asked,) = renewals(online)
    assert (asked.payload, asked.lane) == (issue.TRIGGER_PAYLOAD, Command.Lane.OWN)
    issue.renew_due(now + dt.timedelta(days=1, minutes=1))
    assert renewals(online).count() == 2
    assert not Alert.objects.exists()


def test_the_last_days_are_told_until_the_new_one_is_there(online):
    row, _ = signed(online)
    ends_in(row, days=6)
    issue.renew_due(timezone.now())
    issue.renew_due(timezone.now())
    alert = Alert.objects.get(kind=issue.EXPIRES)
    assert alert.resolved_at is None
    signed(online)
    answer(sent(online)[-1], "Accepted")
    alert.refresh_from_db()
    assert alert.resolved_at


def test_a_station_that_is_away_is_asked_when_it_is_back(station):
    row, _ = signed(station)
    ends_in(row, days=10)
    issue.renew_due(timezone.now())
    assert not renewals(station).exists()
    go_online(station)
    issue.renew_due(timezone.now())
    assert renewals(station).count() == 1


# --- Roots ---------------------------------------------------------------------------------------


def told(station, kind, items, status="Accepted"):
    command = Command.objects.create(
        station=station,
        action=roots.LIST,
        payload={"certificateType": kind},
        lane=Command.Lane.ASKED,
        status=Command.Status.SENT,
    )
    response = {"status": status} | ({"certificateHashData": items} if items else {})
    calls.record_answer(command.pk, response)


def test_what_a_station_tells_of_its_roots_replaces_what_it_told(online):
    root = authority.load().certificate
    ours, foreign = roots.hash_data(root), roots.hash_data(self_signed("someone"))
    central, maker = roots.KINDS
    told(online, central, [ours, foreign])
    told(online, maker, [foreign])
    assert InstalledRoot.objects.count() == 3
    assert [roots.is_of(row, root) for row in online.roots.filter(kind=central)].count(True) == 1
    told(online, central, [foreign])
    assert [row.kind for row in online.roots.all()] == [central, maker]
    told(online, central, None, status="NotFound")
    assert [row.kind for row in online.roots.all()] == [maker]


@pytest.mark.parametrize(("status", "left"), [("Accepted", 0), ("NotFound", 0), ("Failed", 1)])
def test_a_root_is_forgotten_when_the_station_has_forgotten_it(online, olga, status, left):
    told(online, roots.KINDS[0], [roots.hash_data(self_signed("someone"))])
    command = roots.remove(root=online.roots.get(), by=olga, reason="old")
    answer(command, status)
    assert online.roots.count() == left


def test_an_installed_root_is_asked_for(online, olga):
    command = roots.install(
        station=online, kind=roots.KINDS[0], pem=authority.load().pem, by=olga, reason="profile 3"
    )
    answer(command, "Accepted")
    asked = Command.objects.get(action=roots.LIST)
    assert asked.payload == {"certificateType": roots.KINDS[0]}


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----"])
def test_what_is_no_certificate_is_not_sent(online, olga, pem):
    with pytest.raises(Invalid):
        roots.install(station=online, kind=roots.KINDS[0], pem=pem, by=olga, reason="x")
    assert not Command.objects.exists()


def test_no_root_for_a_station_that_is_away(station, olga):
    with pytest.raises(StationOffline):
        roots.ask(station=station, kind=roots.KINDS[0], by=olga, reason="x")


# --- Over HTTP -----------------------------------------------------------------------------------


def test_root_and_list_are_for_everyone(client, online, ca):
    signed(online)
    root = client.get("/ca/root.pem")
    assert root.content == (ca / "root.pem").read_bytes()
    listed = client.get("/ca/revoked.crl")
    assert listed["Content-Type"] == "application/pkix-crl"
    assert x509.load_der_x509_crl(listed.content).issuer == authority.load().certificate.subject
    assert client.post("/ca/root.pem").status_code == 405
    assert b"PRIVATE" not in root.content


def test_a_station_that_cannot_be_asked_or_told_of_keeps_no_other_waiting(online):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    go_online(other)
    for station, name in ((online, "K-1"), (other, "K-2")):
        ends_in(signed(station, request_of(name))[0], days=6)
    break_rows(Command, station=online.pk)
    break_rows(Alert, station=online.pk)
    issue.renew_due(timezone.now())
    assert renewals(other).count() == 1
    assert Alert.objects.get().station == other


@pytest.mark.django_db(transaction=True)
@pytest.mark.on_postgres
def test_revoked_while_its_station_comes_with_it_or_answers_it_stays_revoked(online, olga):
    """Each wants the station, the certificate and its command: they take them in one order."""
    for _ in range(15):
        row, certificate = signed(online)
        command = sent(online)[-1]
        Command.objects.filter(pk=command.pk).update(status=Command.Status.SENT)

        @transaction.atomic
        def connect(certificate=certificate):
            presence.connect(
                station_pk=online.pk, process_id=online.owner_id, subprotocol="ocpp1.6"
            )
            issue.note_use(online, certificate)

        run_at_once(
            lambda row=row: issue.revoke(certificate_id=row.pk, by=olga, reason="stolen"),
            lambda command=command: calls.record_answer(command.pk, {"status": "Accepted"}),
            connect,
        )
        row.refresh_from_db()
        assert row.status == Status.REVOKED
