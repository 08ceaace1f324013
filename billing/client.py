"""Where a request comes from, behind proxies that we trust and no others."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Return the client's address.

    X-Forwarded-For is read from the right, past CSMS_TRUSTED_PROXIES: each of these added the
    address that it saw, and what stands before is whatever the client wrote.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    while forwarded and is_trusted(address):
        candidate = forwarded.pop().strip()
        if not _parse(candidate):
            break
        address = candidate
    return address


def is_trusted(address: str) -> bool:
    """Whether an address is one of CSMS_TRUSTED_PROXIES (addresses or networks)."""
    parsed = _parse(address)
    return parsed is not None and any(
        parsed in ipaddress.ip_network(proxy, strict=False)
        for proxy in settings.CSMS_TRUSTED_PROXIES
    )


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return parsed.ipv4_mapped
    return parsed
