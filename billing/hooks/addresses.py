"""Where a webhook may go: to the public internet by https, and to networks that a setting names.

Whoever may make an endpoint must not reach by it what only this host can reach. So a name is
resolved first, each address is judged, and the connection is made to an address that was judged:
a name that answers differently the second time gains nothing.
"""

import ipaddress
import socket
import urllib.parse
from dataclasses import dataclass

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESSES = 4
PORTS = {"https": 443, "http": 80}
_TUNNELS = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "2002::/16", "2001::/32")
)
"""IPv6 that carries an IPv4 address, which may be a private one (NAT64, 6to4, Teredo)."""


class Unreachable(Exception):
    """There is no address under this name."""


class Refused(Exception):
    """Webhooks do not go there."""


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of an address that a connection needs."""

    scheme: str
    host: str
    port: int


def read(url: str) -> Place:
    """Judge an address by its text. Raises Refused, with the reason."""
    if not url.isprintable() or " " in url:
        raise Refused("This is no address.")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("This is no address.") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise Refused("It must begin with https://.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("It must hold no name, password or fragment.")
    place = Place(parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port)
    if place.scheme == "http" and not settings.CSMS_WEBHOOK_NETWORKS:
        raise Refused("It must begin with https://.")
    literal = _literal(place.host)
    if literal is not None and not is_allowed(literal, scheme=place.scheme):
        raise Refused("Webhooks do not go to this address.")
    return place


def resolve(place: Place) -> list[Address]:
    """The addresses of a place that webhooks may go to. Raises Unreachable, Refused."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{place.host}: {error}") from error
    addresses = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]
    allowed = [one for one in dict.fromkeys(addresses) if is_allowed(one, scheme=place.scheme)]
    if not allowed:
        raise Refused(f"{place.host} leads to where webhooks do not go.")
    return allowed[:MAX_ADDRESSES]


def is_allowed(address: Address, *, scheme: str) -> bool:
    """Whether a webhook may go to an address: by http only into the networks of the setting."""
    bare = _unmapped(address)
    networks = (ipaddress.ip_network(text, strict=False) for text in settings.CSMS_WEBHOOK_NETWORKS)
    if any(bare in network for network in networks):
        return True
    is_tunnel = any(bare in network for network in _TUNNELS)
    is_public = bare.is_global and not bare.is_multicast and not is_tunnel
    return is_public and scheme == "https"


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
