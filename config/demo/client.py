"""A small client of the REST API on the standard library, as any app would have one."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30
# The demo's server is on this machine; a proxy in the environment is for other programs.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiError(Exception):
    """The server answered with an error; `code` is the API's own."""

    def __init__(self, request: str, status: int, code: str, detail: str) -> None:
        self.status, self.code = status, code
        super().__init__(f"{request} was answered with {status} {code}: {detail}")


@dataclass(frozen=True, slots=True)
class Client:
    base_url: str
    token: str = ""

    def log_in(self, username: str, password: str) -> "Client":
        """Return a client that speaks for this user. Raises ApiError."""
        answer = self.post("/auth/login", username=username, password=password)
        return Client(self.base_url, answer["token"])

    def get(self, path: str, **query: str) -> Any:
        return self._call("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def post(self, path: str, **body: Any) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self._call("PATCH", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Raises ApiError, and URLError when nobody answers."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(
            self.base_url + path,
            method=method,
            headers=headers | {"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with _opener.open(request, timeout=TIMEOUT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise _read_error(f"{method} {path}", error) from None


def _read_error(request: str, error: urllib.error.HTTPError) -> ApiError:
    try:
        body = json.load(error)
    except ValueError:
        body = {}
    return ApiError(request, error.code, body.get("code", ""), body.get("detail", error.reason))
