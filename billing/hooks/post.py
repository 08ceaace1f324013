"""One signed request over HTTP: to an address that was judged, within a time, and no further."""

import asyncio
import functools
import ssl
import time
from dataclasses import dataclass

import certifi
import httpx

from . import addresses
from .addresses import Address, Place, Unreachable

TIMEOUT_S = 15.0
"""For all of it, connecting included. With the name's look-up it stays within the lease."""
CONNECT_S = 5.0
EXCERPT_BYTES = 300
"""How much of an answer is kept, to tell what the receiver had against it."""
USER_AGENT = "Kubat-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said; `retry_after` as it wrote it."""

    status: int
    took_ms: int
    excerpt: str = ""
    retry_after: str = ""

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


def send(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Post `body` and return the answer, whatever it is; redirects are answers like others.

    Raises Unreachable when there was none in time, addresses.Refused when it may not go there.
    """
    place = addresses.read(url)
    targets = addresses.resolve(place)
    return asyncio.run(_send(url, place, targets, body, headers))


async def _send(
    url: str, place: Place, targets: list[Address], body: bytes, headers: dict[str, str]
) -> Answer:
    """A time-out of httpx is for one read: only a cancelled task ends a receiver that drips."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _send_to_first(url, place, targets, body, headers)
    except TimeoutError:
        raise Unreachable(f"no answer within {TIMEOUT_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}"[:EXCERPT_BYTES]) from error


async def _send_to_first(
    url: str, place: Place, targets: list[Address], body: bytes, headers: dict[str, str]
) -> Answer:
    timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_S)
    # No proxy of the environment: the address was judged here, and is connected to from here.
    async with httpx.AsyncClient(timeout=timeout, trust_env=False, verify=_trust()) as client:
        for target in targets[:-1]:
            try:
                return await _post(client, url, place, target, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await _post(client, url, place, targets[-1], body, headers)


async def _post(
    client: httpx.AsyncClient,
    url: str,
    place: Place,
    target: Address,
    body: bytes,
    headers: dict[str, str],
) -> Answer:
    begun = time.monotonic()
    named = httpx.URL(url)
    request = client.build_request(
        "POST",
        named.copy_with(host=str(target)),
        content=body,
        headers={
            "Host": named.netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            **headers,
        },
        extensions={"sni_hostname": place.host},  # the certificate is checked against the name
    )
    answer = await client.send(request, stream=True)
    try:
        excerpt = b"" if answer.is_success else await _begin_of(answer)
    finally:
        await answer.aclose()
    took_ms = int((time.monotonic() - begun) * 1000)
    text = excerpt.decode(errors="replace").replace("\0", "")
    return Answer(answer.status_code, took_ms, text, answer.headers.get("Retry-After", ""))


@functools.cache
def _trust() -> ssl.SSLContext:
    """Who is believed: the authorities of this system (SSL_CERT_FILE, where it is set) and the
    public ones that come with certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


async def _begin_of(answer: httpx.Response) -> bytes:
    kept = b""
    async for chunk in answer.aiter_raw():
        kept += chunk
        if len(kept) >= EXCERPT_BYTES:
            break
    return kept[:EXCERPT_BYTES]
