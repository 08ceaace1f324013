import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from .told import bot, fresh_channels, gateway, mailbox  # noqa: F401  # fixtures
from .web import signed_in


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
