"""The REST API as an app uses it: a request is repeated, with its key, until it is answered."""

import asyncio
import itertools
import uuid
from typing import Any

import httpx

PAUSE_S = 0.4
TIMEOUT_S = 10.0
RUNNING = "idempotency_running"


class Unanswered(Exception):
    """No server answered in the time that there was."""


class Answer:
    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.body: Any = response.json() if response.content else {}

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Api:
    """One person's way to the servers; a second goes by where the first does not answer."""

    def __init__(self, urls: list[str], token: str = "") -> None:
        self._urls = itertools.cycle(urls)
        self._token = token
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    def at(self, url: str) -> "Api":
        """The same person at one server only."""
        return Api([url], self._token)

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, within_s: float = 60.0, **query: str) -> Answer:
        return await self._ask("GET", path, within_s, query=query)

    async def post(
        self, path: str, body: dict[str, Any], *, key: str = "", within_s: float = 60.0
    ) -> Answer:
        """Ask for something once, however often it must be asked. Raises Unanswered."""
        key = key or str(uuid.uuid4())
        return await self._ask("POST", path, within_s, body=body, key=key)

    async def log_in(self, username: str, password: str) -> None:
        body = {"username": username, "password": password}
        answer = await self._ask("POST", "/auth/login", 60.0, body=body)
        self._token = answer.body["token"]

    async def _ask(
        self,
        method: str,
        path: str,
        within_s: float,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        key: str = "",
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if key:
            headers["Idempotency-Key"] = key
        try:
            async with asyncio.timeout(within_s):
                while True:
                    answer = await self._try(method, path, headers, body, query)
                    if answer is not None:
                        return answer
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            raise Unanswered(f"{method} {path}") from None

    async def _try(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: dict[str, Any] | None,
        query: dict[str, str] | None,
    ) -> Answer | None:
        """Ask once; None where that says nothing about what was asked."""
        try:
            response = await self._client.request(
                method, next(self._urls) + path, headers=headers, json=body, params=query
            )
        except httpx.TransportError:
            return None
        answer = Answer(response) if response.status_code < 500 else None
        return None if answer and answer.code == RUNNING else answer
