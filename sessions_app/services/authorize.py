"""Judge a tag: is it known, whose is it, may it charge here and now?"""

import datetime as dt
import secrets
import string
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils import timezone

from billing import ledger
from billing.models import User
from billing.money import to_minor
from stations.models import Station
from stations.tariffs import tariff_for

from ..models import ChargingSession, IdTag
from ..models.session import OPEN
from .holds import Sale
from .reservations import reserved_card

TagStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]

OWN_TAG_LIFE = dt.timedelta(hours=24)
"""How long after its request a session's own tag may begin a transaction."""
MAX_TAG_LENGTH = 20
_TAG_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class TagVerdict:
    """What a station is told about a tag (OCPP 1.6 §7.27 IdTagInfo)."""

    status: TagStatus
    parent_id_tag: str = ""
    expires_at: dt.datetime | None = None


ACCEPTED = TagVerdict("Accepted")
INVALID = TagVerdict("Invalid")
BLOCKED = TagVerdict("Blocked")


def judge_tag(*, station: Station, id_tag: str, at: dt.datetime) -> TagVerdict:
    """Judge a tag at our time `at` (OCPP 1.6 §4.2 Authorize). Changes nothing.

    A session's own tag is good at its station until the session ends, one of a reservation while
    that is valid. A driver's tag is blocked where it could hold no money, or where the station is
    out of sale.
    """
    own = own_session(station, id_tag)
    if own is not None and own.status in OPEN and at <= own.requested_at + OWN_TAG_LIFE:
        return ACCEPTED
    tag = presented_card(station, id_tag, at)
    if tag is None:
        return INVALID
    verdict = judge_rights(tag, at)
    if verdict.status == "Accepted" and tag.user and not can_pay(tag.user, station):
        return BLOCKED
    return verdict


def judge_rights(tag: IdTag, at: dt.datetime) -> TagVerdict:
    """Judge a known tag by itself, whatever its driver can pay."""
    if tag.status == IdTag.Status.BLOCKED or (tag.user and not tag.user.is_active):
        status: TagStatus = "Blocked"
    elif tag.is_expired(at):
        status = "Expired"
    else:
        status = "Accepted"
    return TagVerdict(status, tag.parent_id_tag, tag.expires_at)


def is_family(one: str, other: str) -> bool:
    """Whether two texts are one tag, or known tags with the same parent (OCPP 1.6 §4.10)."""
    if one.casefold() == other.casefold():
        return True
    parents = [tag.parent_id_tag.casefold() for tag in (find_tag(one), find_tag(other)) if tag]
    return len(parents) == 2 and parents[0] == parents[1] != ""


def own_session(station: Station, id_tag: str) -> ChargingSession | None:
    """The session that made this tag for this station; tags are compared without case."""
    if not id_tag or "\0" in id_tag:
        return None
    return ChargingSession.objects.filter(
        station=station, origin=ChargingSession.Origin.REMOTE, id_tag=id_tag.upper()
    ).first()


def can_pay(driver: User, station: Station) -> bool:
    """Whether a driver has the least hold, or needs none at this station."""
    if not station.enabled:
        return False
    available = ledger.account_of(driver).available_minor
    return available >= to_minor(settings.CSMS_MIN_HOLD) or _is_free(station)


def make_tag() -> str:
    """A tag for one transaction at one station, that nobody can guess."""
    return "".join(secrets.choice(_TAG_ALPHABET) for _ in range(MAX_TAG_LENGTH))


def presented_card(station: Station, id_tag: str, at: dt.datetime) -> IdTag | None:
    """The card with this tag; the tag of a valid reservation is a card of its driver."""
    return find_tag(id_tag) or reserved_card(station, id_tag, at)


def storable(id_tag: str) -> str:
    """A presented tag as a row can hold it."""
    return id_tag.replace("\0", "\N{REPLACEMENT CHARACTER}")[:MAX_TAG_LENGTH]


def find_tag(id_tag: str) -> IdTag | None:
    if "\0" in id_tag:  # no database holds it, and some drivers refuse the question
        return None
    return IdTag.objects.select_related("user").filter(identity=id_tag.casefold()).first()


def _is_free(station: Station) -> bool:
    """Whether the station gives away what it sells; at which connector is not known yet."""
    now = timezone.now()
    tariff = tariff_for(station, None, now)
    return tariff is not None and Sale.at(station, tariff.to_terms(), now).is_free
