"""Routes of the API: each path works with and without its trailing slash, without redirect."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

Endpoint = tuple[str, str, Any, Any]


def api_path(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """Route `route` (written without a trailing slash) in both spellings."""
    return [path(route, view, name=name), path(f"{route}/", view)]


def drop_slashed(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Keep one spelling of each path in the OpenAPI document (a drf-spectacular hook)."""
    return [row for row in endpoints if row[0] == "/api/schema/" or not row[0].endswith("/")]
