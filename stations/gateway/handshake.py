"""Who may open a socket: identity, subprotocol, key, certificate (OCPP-J 1.6 §3, security §2).

`read` is pure and takes what the request says; `admit` judges it against the station's row.
Thousands at once are admitted by `arrivals`, which leaves to `admit` what is seldom.
"""

import base64
import binascii
import ipaddress
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from cryptography import x509
from django.conf import settings
from django.db import transaction

from sessions_app.services import calls

from .. import keys, presence, refusals
from ..certificates import issue
from ..models import PendingKey, Station
from ..refusals import Cause

PREFIX = b"/ws/"
SUBPROTOCOLS = ("ocpp1.6",)
"""What we speak, the best first."""
MAX_IDENTITY_LENGTH = 48
MAX_FOLDED_LENGTH = 96
"""Some letters grow when their case is folded; the column ends here."""
MAX_PENDING = 1000
"""Stations that wait for approval; more of them would be an attack."""
CERTIFICATE = b"x-client-cert"
CERTIFIED = 3
"""The security profile that a client certificate proves."""
REALM = (b"WWW-Authenticate", b'Basic realm="ocpp", charset="UTF-8"')


class Refused(Exception):
    """The handshake is answered with this status instead of a socket.

    `station_pk` and `cause` are told where a station of ours did not prove who it is.
    """

    def __init__(
        self, status: HTTPStatus, *, station_pk: int = 0, cause: Cause | None = None
    ) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.station_pk, self.cause = station_pk, cause
        self.headers = [REALM] if status is HTTPStatus.UNAUTHORIZED else []


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a request for a socket says of itself."""

    station_id: str
    offered: tuple[str, ...]
    user: str = ""
    key: bytes = b""
    is_secure: bool = False
    certificate: x509.Certificate | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A socket that may open. `answered` is the subprotocol to tell: None where none is offered.

    What may be without need is True where nobody has looked: sessions to resume, calls that are
    queued, a set-up to go on with.
    """

    station_pk: int
    station_id: str
    fence: int
    subprotocol: str
    answered: str | None
    is_lenient: bool
    was_accepted: bool
    may_resume: bool = True
    may_have_queued: bool = True
    may_go_on: bool = True


def read(scope: Mapping[str, Any]) -> Handshake:
    """Read an ASGI scope. Raises Refused where no station can be meant, or nothing is in common."""
    station_id = _identity(scope["raw_path"])
    offered = tuple(scope["subprotocols"])
    if offered and not set(offered) & set(SUBPROTOCOLS):
        raise Refused(HTTPStatus.BAD_REQUEST)
    headers = dict(scope["headers"])
    presented = [value for name, value in scope["headers"] if name == CERTIFICATE]
    user, key = _credentials(headers.get(b"authorization", b""), colons=station_id.count(":"))
    is_proxied = _is_trusted(scope["client"])
    return Handshake(
        station_id,
        offered,
        user,
        key,
        is_secure=is_proxied and headers.get(b"x-forwarded-proto", b"").lower() == b"https",
        certificate=_certificate(presented) if is_proxied else None,
    )


def admit(handshake: Handshake, process_id: uuid.UUID) -> Admission:
    """Judge a handshake and make its socket the live one (P7). Raises Refused."""
    station = _find_station(handshake.station_id)
    proven = _proven_profile(station, handshake)
    require(proven, station.security_profile, station_pk=station.pk)
    subprotocol = choose(handshake, is_lenient=station.is_lenient)
    spoken = subprotocol or SUBPROTOCOLS[0]
    with transaction.atomic():  # only here: a refusal must cost no lock
        fence = _connect(station, process_id, spoken)
        if proven > station.security_profile:  # it rises by use, and only staff lower it
            Station.objects.filter(pk=station.pk).update(security_profile=proven)
        if proven == CERTIFIED and handshake.certificate is not None:
            issue.note_use(station, handshake.certificate)
        refusals.forgive(station.pk)
        calls.cut_off(station_pk=station.pk, fence=fence)
    is_accepted = station.registration == Station.Registration.ACCEPTED
    return Admission(
        station.pk,
        station.station_id,
        fence,
        spoken,
        subprotocol,
        is_lenient=station.is_lenient,
        was_accepted=is_accepted and station.booted_at is not None,
    )


def require(proven: int, profile: int, *, station_pk: int) -> None:
    """Refuse who proves a lower security profile than its own; 0 is proved by anyone."""
    if proven < profile:
        cause = Cause.DOWNGRADE if proven else Cause.WRONG_KEY
        raise Refused(HTTPStatus.UNAUTHORIZED, station_pk=station_pk, cause=cause)


def choose(handshake: Handshake, *, is_lenient: bool) -> str | None:
    """The subprotocol to answer. Raises Refused where none is offered and one is needed."""
    subprotocol = next((name for name in SUBPROTOCOLS if name in handshake.offered), None)
    if subprotocol is None and not is_lenient:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return subprotocol


def has_key(handshake: Handshake, *, identity: str, digests: Collection[str]) -> bool:
    """Whether a handshake brings one of these keys of the station with this identity."""
    if not handshake.key or handshake.user.casefold() != identity:
        return False
    return keys.is_one_of(handshake.key, digests)


def keyed_profile(handshake: Handshake) -> int:
    """The security profile that a good key proves."""
    return 2 if handshake.is_secure else 1


def _connect(station: Station, process_id: uuid.UUID, subprotocol: str) -> int:
    try:
        return presence.connect(
            station_pk=station.pk, process_id=process_id, subprotocol=subprotocol
        )
    except Station.DoesNotExist:  # removed while it was judged
        raise Refused(HTTPStatus.NOT_FOUND) from None


def _identity(raw_path: bytes) -> str:
    """The identity in a path, decoded once; a trailing slash is tolerated."""
    if not raw_path.startswith(PREFIX):
        raise Refused(HTTPStatus.NOT_FOUND)
    try:
        identity = unquote_to_bytes(raw_path.removeprefix(PREFIX).removesuffix(b"/")).decode()
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.NOT_FOUND) from None
    is_right = 1 <= len(identity) <= MAX_IDENTITY_LENGTH and identity.isprintable()
    if not is_right or "/" in identity:
        raise Refused(HTTPStatus.NOT_FOUND)
    return identity


def _credentials(header: bytes, *, colons: int) -> tuple[str, bytes]:
    """User and password of HTTP Basic (RFC 7617), empty when there are none.

    The password is bytes: some stations send those that their key's digits stand for. A user
    that is an identity may have colons, which the RFC does not foresee.
    """
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"basic":
        return "", b""
    try:
        *user, key = base64.b64decode(token.strip(), validate=True).split(b":", colons + 1)
        return b":".join(user).decode(), key
    except (binascii.Error, UnicodeDecodeError):
        return "", b""


def _is_trusted(client: tuple[str, int] | None) -> bool:
    """Whether the peer is a proxy of ours, whose word about the request counts."""
    if client is None:
        return False
    address = ipaddress.ip_address(client[0])
    address = getattr(address, "ipv4_mapped", None) or address  # as a socket on :: sees IPv4
    return any(
        address in ipaddress.ip_network(network, strict=False)
        for network in settings.CSMS_TRUSTED_PROXIES
    )


def _certificate(presented: Sequence[bytes]) -> x509.Certificate | None:
    """The client certificate that the proxy verified: percent-encoded PEM, told once.

    Twice means that the proxy let through what the client wrote: then neither counts.
    """
    if len(presented) != 1 or not presented[0]:
        return None
    try:
        pem = unquote(presented[0].decode("ascii"))
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def _find_station(station_id: str) -> Station:
    station = Station.objects.by_identity(station_id).first()
    if station is None and settings.CSMS_UNKNOWN_STATIONS == "pending":
        station = _add_pending(station_id)
    if station is None:
        raise Refused(HTTPStatus.NOT_FOUND)
    return station


def _add_pending(station_id: str) -> Station | None:
    """List an unknown station for approval. It has no key yet, so it cannot prove anything."""
    identity = station_id.casefold()
    pending = Station.objects.filter(registration=Station.Registration.PENDING)
    if len(identity) > MAX_FOLDED_LENGTH or pending.count() >= MAX_PENDING:
        return None
    station, _ = Station.objects.get_or_create(
        identity=identity,
        defaults={
            "station_id": station_id,
            "registration": Station.Registration.PENDING,
            "security_profile": 0,
        },
    )
    return station


def _proven_profile(station: Station, handshake: Handshake) -> int:
    """The highest security profile whose proof this handshake brings."""
    if handshake.certificate is not None and issue.proves(station, handshake.certificate):
        return CERTIFIED
    pending = PendingKey.objects.filter(station=station).values_list("digest", flat=True)
    digests = [station.key_digest, *pending]  # those on their way are good too
    if not has_key(handshake, identity=station.identity, digests=digests):
        return 0
    return keyed_profile(handshake)
