"""Sign what a station asks for, send it, and follow it until it has proved itself or is revoked."""

import datetime as dt
import hashlib

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from billing.models import User

from .. import alerts, audit, commands
from ..apart import apart
from ..commands import error_code
from ..errors import CertificateEnded, CertificateNotFound
from ..models import Command, Station, StationCertificate
from . import authority, requests

Status = StationCertificate.Status
REFERENCE, RENEWAL = "certificate", "certificate-renewal"
TRIGGER = "ExtendedTriggerMessage"
TRIGGER_PAYLOAD = {"requestedMessage": "SignChargePointCertificate"}
MAX_A_DAY = 20
"""A station that asks for more new certificates than this is out of its mind, or not itself."""
MAX_ATTEMPTS = 5
"""How often a certificate is sent that sockets died under."""
GOOD_TO_SEND = dt.timedelta(days=7)
ASK_AGAIN_AFTER = dt.timedelta(days=1)
LAST_DAYS = dt.timedelta(days=7)
EXPIRES, REFUSED, NOT_TAKEN = "certificate_expires", "certificate_refused", "certificate_rejected"


def sign(*, station: Station, request: str) -> bool:
    """Judge a SignCertificate and queue its CertificateSigned; False where it is rejected.

    The same request again gets the same certificate (whitepaper, edition 3, A02). The command
    goes out behind the answer to the station.
    """
    if station.registration != Station.Registration.ACCEPTED:
        return False
    names = {station.identity, station.serial_number.casefold()} - {""}
    try:
        _sign(station.pk, requests.read(request, names=names))
    except requests.RequestRefused as refusal:
        text = f"{station} asked for a certificate in vain: {refusal}."
        alerts.open_alert(REFUSED, str(station.pk), text, station=station)
        return False
    return True


@transaction.atomic
def _sign(station_pk: int, request: x509.CertificateSigningRequest) -> None:
    """Queue the certificate unless it is on its way. Raises RequestRefused."""
    station = Station.objects.select_for_update(no_key=True).get(pk=station_pk)
    certificate = _certificate_for(station, request)
    ours = Command.objects.filter(station=station, reference=certificate.reference)
    if not ours.filter(status__in=Command.OPEN).exists():
        _send(certificate)
    alerts.resolve_alert(REFUSED, str(station.pk))


def hear(command: Command) -> None:
    """Act on the end of a CertificateSigned of ours, in the transaction that ends it."""
    kind, _, certificate_id = command.reference.partition(":")
    if kind != REFERENCE:
        return
    certificate = StationCertificate.objects.select_for_update(no_key=True).get(pk=certificate_id)
    if certificate.status != Status.ISSUED:
        return
    answer = (command.response or {}).get("status")
    if answer == "Accepted":
        _resolve(certificate, Status.INSTALLED)
    elif answer == "Rejected":
        _resolve(certificate, Status.REJECTED)
        text = f"{certificate.station} did not take its new certificate."
        alerts.open_alert(NOT_TAKEN, str(certificate.station_id), text, station=command.station)
    elif error_code(command) == "disconnected" and certificate.attempts < MAX_ATTEMPTS:
        _send(certificate)


def proves(station: Station, certificate: x509.Certificate) -> bool:
    """Whether a client certificate that a proxy verified proves this station (profile 3).

    One that we issued proves the station that it was issued to, while it is good. One of another
    authority proves the station whose identity is its common name, where the settings allow it.
    """
    now = timezone.now()
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return False
    fingerprint = authority.fingerprint_of(certificate)
    ours = StationCertificate.objects.filter(fingerprint=fingerprint).first()
    if ours is not None:
        return ours.station_id == station.pk and ours.status in StationCertificate.GOOD
    if settings.CSMS_CLIENT_CERTIFICATES != "verified" or authority.load().has_signed(certificate):
        return False  # one of ours that no row knows may have been revoked
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(name.value).casefold() for name in names] == [station.identity]


def note_use(station: Station, certificate: x509.Certificate) -> None:
    """A station came with this certificate: it has it, and those before it are of no use."""
    fingerprint = authority.fingerprint_of(certificate)
    good = list(station.certificates.filter(status__in=StationCertificate.GOOD))
    used = next((row for row in good if row.fingerprint == fingerprint), None)
    if used is None:
        return
    if used.status == Status.ISSUED:
        _resolve(used, Status.INSTALLED)
    for row in good:
        if row.issued_at < used.issued_at:
            _resolve(row, Status.SUPERSEDED)


@transaction.atomic
def revoke(*, certificate_id: int, by: User, reason: str) -> StationCertificate:
    """Let a certificate prove nothing any more. Raises CertificateNotFound, CertificateEnded.

    The station is locked first, as by a handshake and by the end of a command: neither must put
    the certificate back to what it was.
    """
    of_certificate = StationCertificate.objects.filter(pk=certificate_id).values("station")
    station = Station.objects.select_for_update(no_key=True).filter(pk__in=of_certificate).first()
    if station is None:
        raise CertificateNotFound
    certificate = station.certificates.select_for_update(no_key=True).get(pk=certificate_id)
    if certificate.status not in StationCertificate.GOOD:
        raise CertificateEnded
    certificate.revoked_by, certificate.reason = by, reason
    certificate.save(update_fields=["revoked_by", "reason"])
    _resolve(certificate, Status.REVOKED)
    commands.withdraw(certificate.reference)
    audit.record(by, audit.CHANGE, certificate, "revoked", reason=reason)
    return certificate


def revocation_list() -> bytes:
    """The list of what was revoked and has not run out, in DER."""
    revoked = StationCertificate.objects.filter(status=Status.REVOKED, not_after__gt=timezone.now())
    return authority.load().revocations(
        (int(row.serial, 16), row.resolved_at) for row in revoked if row.resolved_at
    )


def renew_due(now: dt.datetime) -> int:
    """Ask stations whose certificate runs out soon for a new request; return how many it is."""
    ends = _ends_before(now + dt.timedelta(days=settings.CSMS_CERTIFICATE_RENEW_DAYS))
    asked = Command.objects.filter(
        station__in=ends, reference=RENEWAL, created_at__gt=now - ASK_AGAIN_AFTER
    )
    stations = Station.objects.filter(pk__in=ends, registration=Station.Registration.ACCEPTED)
    for station in stations.online().exclude(pk__in=asked.values("station")):
        apart(ask_for_request, station)
    for station in stations:
        if ends[station.pk] < now + LAST_DAYS:
            apart(_tell_of_end, station, ends[station.pk])
    return len(ends)


@transaction.atomic
def _tell_of_end(station: Station, end: dt.datetime) -> None:
    text = f"The certificate of {station} ends on {end:%Y-%m-%d}."
    alerts.open_alert(EXPIRES, str(station.pk), text, station=station)


def _ends_before(moment: dt.datetime) -> dict[int, dt.datetime]:
    """When the last certificate of a station ends, of those where that is before this moment."""
    good = StationCertificate.objects.filter(status__in=StationCertificate.GOOD)
    lasts = good.values("station").annotate(last=Max("not_after")).filter(last__lt=moment)
    return dict(lasts.values_list("station_id", "last"))


@transaction.atomic
def ask_for_request(station: Station) -> Command:
    """Queue the call that lets a station ask for a new certificate (whitepaper, A02)."""
    return commands.send(
        station=station,
        action=TRIGGER,
        payload=TRIGGER_PAYLOAD,
        lane=Command.Lane.OWN,
        reference=RENEWAL,
        is_bound=True,
    )


def _certificate_for(
    station: Station, request: x509.CertificateSigningRequest
) -> StationCertificate:
    digest = hashlib.sha256(request.tbs_certrequest_bytes).hexdigest()
    now = timezone.now()
    same = station.certificates.good(now).filter(request_digest=digest).first()
    if same is not None:
        return same
    if station.certificates.filter(issued_at__gt=now - dt.timedelta(days=1)).count() >= MAX_A_DAY:
        raise requests.RequestRefused("it has had too many today")
    pem = authority.load().issue(request, subject=_subject(station, request))
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return StationCertificate.objects.create(
        station=station,
        serial=f"{certificate.serial_number:X}",
        fingerprint=authority.fingerprint_of(certificate),
        request_digest=digest,
        pem=pem,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _subject(station: Station, request: x509.CertificateSigningRequest) -> x509.Name:
    """The name that the station gave itself, which is its own, and the operator's."""
    told = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(told[0].value) if told else station.station_id
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.CSMS_SELLER_NAME[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _send(certificate: StationCertificate) -> None:
    certificate.attempts += 1
    certificate.save(update_fields=["attempts"])
    commands.send(
        station=certificate.station,
        action="CertificateSigned",
        payload={"certificateChain": certificate.pem + authority.load().pem},
        lane=Command.Lane.ANSWER,
        reference=certificate.reference,
        expires_in_s=int(GOOD_TO_SEND.total_seconds()),
    )


def _resolve(certificate: StationCertificate, status: StationCertificate.Status) -> None:
    certificate.status, certificate.resolved_at = status, timezone.now()
    certificate.save(update_fields=["status", "resolved_at"])
    if status == Status.INSTALLED:
        for kind in (EXPIRES, NOT_TAKEN):
            alerts.resolve_alert(kind, str(certificate.station_id))
