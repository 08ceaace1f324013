"""Channels for tests of notices, each to its double, and the worker's pass over the outbox."""

import pytest
from django.core.cache import cache
from django.utils import timezone

from billing import outbox
from billing.models import Notice, NoticePreference, OutboxMessage
from billing.tests.receivers import BotApi, SmsGateway, http_double, mail_server
from config.notices import DELIVERIES


@pytest.fixture
def mailbox(settings):
    with mail_server() as server:
        settings.EMAIL_URL = f"smtp://127.0.0.1:{server.port}"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = None
        settings.DEFAULT_FROM_EMAIL = "kubat@example.org"
        yield server


@pytest.fixture
def gateway(settings):
    with http_double(SmsGateway()) as double:
        settings.CSMS_SMS_URL = f"json://127.0.0.1:{double.port}/send?:to={{phone}}"
        yield double


@pytest.fixture
def bot(settings):
    with http_double(BotApi()) as double:
        settings.CSMS_TELEGRAM_URL = f"http://127.0.0.1:{double.port}"
        settings.CSMS_TELEGRAM_TOKEN, settings.CSMS_TELEGRAM_BOT = double.token, "kubat_bot"
        yield double


@pytest.fixture
def fresh_channels():
    """No channel is left alone because of another test."""
    cache.clear()


def work(*, at=None):
    """Let a worker deliver what is due now, or, with `at`, all that would be due by then."""
    if at is not None:
        OutboxMessage.objects.filter(status="queued", due_at__lte=at).update(due_at=timezone.now())
    tried = outbox.deliver_due(DELIVERIES)
    return tried + sum(
        outbox.deliver_due(DELIVERIES, lane=lane) for lane in outbox.due_lanes(timezone.now())
    )


def notices(**which):
    return [
        (row.kind, row.channel, row.status)
        for row in Notice.objects.filter(**which).order_by("created_at", "kind", "channel")
    ]


def wants(user, **choices):
    """What a person chose, as the API keeps it."""
    row, _ = NoticePreference.objects.get_or_create(user=user)
    row.choices = row.choices | choices
    row.save()
