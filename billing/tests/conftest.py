import pytest
from django.conf import settings
from django.core.cache import cache
from rest_framework.test import APIClient

from .web import signed_in


def pytest_collection_modifyitems(config, items):
    """Leave out, rather than skip, what has no meaning on this database."""
    if settings.IS_SQLITE:
        out = [item for item in items if item.get_closest_marker("many_writers")]
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)


@pytest.fixture(autouse=True)
def fresh_limits(settings):
    """Each test counts its own log-ins and registrations, in a cache of its own process."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def anyone():
    return APIClient()


@pytest.fixture
def as_alice(alice):
    return signed_in(alice)


@pytest.fixture
def as_bob(bob):
    return signed_in(bob)


@pytest.fixture
def as_olga(olga):
    return signed_in(olga)
