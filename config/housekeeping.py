"""What is thrown away after its time, in portions that hold no one up (docs/retention.md)."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from knox.models import AuthToken

from billing.api.idempotency import KEPT_FOR
from billing.models import IdempotentRequest, Notice, OutboxMessage, PaymentWebhook
from billing.payments.webhooks import KEPT_UNVERIFIED
from stations import storage
from stations.models import (
    Command,
    ConnectorStatus,
    Frame,
    GatewayProcess,
    LogRequest,
    ReceivedFile,
    SecurityEvent,
)

from . import partitions
from .models import WorkerProcess
from .partitions import Partitioned

PORTION = 1000
"""Rows that go at once: SQLite's other writers wait for it, and nothing fair lets them in between
two portions, so there is one a call."""
FORGOTTEN_AFTER = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Purge:
    """One kind of row that does not stay: it goes when `by` is older than its time.

    That time is `setting` (a number of days) or else `keep`. The worker calls it every `every_s`.
    `file` is the column that names a file on disk, which goes after its row. Of a `table` that
    PostgreSQL drops by the partition, only rows outside the partitions go one by one.
    """

    name: str
    rows: QuerySet[Any]
    by: str
    every_s: float
    setting: str = ""
    keep: dt.timedelta = dt.timedelta(0)
    file: str = ""
    table: Partitioned | None = None

    @property
    def kept_for(self) -> dt.timedelta:
        return dt.timedelta(days=getattr(settings, self.setting)) if self.setting else self.keep

    def run(self, now: dt.datetime) -> int:
        """Delete the oldest portion of what is past its time; return how many rows went."""
        if self.table and connection.vendor == "postgresql":
            return partitions.delete_past(self.table, now - self.kept_for, PORTION)
        past = self.rows.filter(**{f"{self.by}__lt": now - self.kept_for}).order_by(self.by)
        portion = list(past.values_list("pk", self.file or "pk")[:PORTION])
        if not portion:
            return 0
        deleted = self.rows.filter(pk__in=[pk for pk, _ in portion]).delete()[0]
        if self.file:
            for _, path in portion:
                storage.remove(path)
        return deleted


# Never in this list: money, sessions, readings, and who did what (P8, P10).
PURGES = (
    Purge(
        "old frames",
        Frame.objects.all(),
        "at",
        1,
        setting="CSMS_FRAME_RETENTION_DAYS",
        table=partitions.FRAMES,
    ),
    Purge(
        "old statuses",
        ConnectorStatus.objects.all(),
        "received_at",
        10,
        setting="CSMS_STATUS_RETENTION_DAYS",
    ),
    Purge(
        "old security events",
        SecurityEvent.objects.all(),
        "received_at",
        60,
        setting="CSMS_SECURITY_EVENT_RETENTION_DAYS",
    ),
    Purge(
        "ended commands",
        Command.objects.filter(resolved_at__isnull=False, requested_by__isnull=True),
        "resolved_at",
        10,
        setting="CSMS_COMMAND_RETENTION_DAYS",
    ),
    Purge(
        "received files",
        ReceivedFile.objects.all(),
        "received_at",
        60,
        setting="CSMS_UPLOAD_RETENTION_DAYS",
        file="path",
    ),
    Purge(
        "old log requests",
        LogRequest.objects.filter(~Exists(ReceivedFile.objects.filter(request=OuterRef("pk")))),
        "created_at",
        600,
        setting="CSMS_UPLOAD_RETENTION_DAYS",
    ),
    Purge(
        "delivered messages",
        OutboxMessage.objects.filter(status=OutboxMessage.Status.DELIVERED),
        "delivered_at",
        10,
        setting="CSMS_OUTBOX_RETENTION_DAYS",
    ),
    Purge(
        "old notices",
        Notice.objects.all(),
        "created_at",
        60,
        setting="CSMS_NOTICE_RETENTION_DAYS",
    ),
    Purge(
        "unsigned webhooks",
        PaymentWebhook.objects.filter(outcome=PaymentWebhook.Outcome.UNVERIFIED),
        "received_at",
        600,
        keep=KEPT_UNVERIFIED,
    ),
    Purge("old answers", IdempotentRequest.objects.all(), "claimed_at", 10, keep=KEPT_FOR),
    Purge("expired tokens", AuthToken.objects.all(), "expiry", 600),
    Purge("expired log-ins", Session.objects.all(), "expire_date", 600),
    Purge("dead gateways", GatewayProcess.objects.all(), "lease_at", 3600, keep=FORGOTTEN_AFTER),
    Purge("dead workers", WorkerProcess.objects.all(), "lease_at", 3600, keep=FORGOTTEN_AFTER),
)
