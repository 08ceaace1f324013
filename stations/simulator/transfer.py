"""Files over HTTP, tried as often as the central system says."""

import asyncio
from dataclasses import dataclass

import httpx

TIMEOUT_S = 30


class TransferFailed(Exception):
    """After the last attempt."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is or goes to."""

    url: str
    retries: int = 0
    retry_interval_s: float = 0


async def fetch(place: Place) -> bytes:
    """Raises TransferFailed."""
    return await _attempt("GET", place, None)


async def put(place: Place, content: bytes) -> None:
    """Raises TransferFailed."""
    await _attempt("PUT", place, content)


async def _attempt(method: str, place: Place, content: bytes | None) -> bytes:
    for attempt in range(place.retries + 1):
        if attempt:
            await asyncio.sleep(place.retry_interval_s)
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
                answer = await http.request(method, place.url, content=content)
                return answer.raise_for_status().content
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = str(error)
    raise TransferFailed(failure)
