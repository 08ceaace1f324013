"""The charging session: its states, the one table of moves between them, and its history."""

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import Tariff
from stations.models import Station

from ..errors import SessionNotFound, TransitionRefused

if TYPE_CHECKING:
    from billing.models import User

    from .reading import Reading


class SessionStatus(models.TextChoices):
    REQUESTED = "requested", _("requested")
    STARTING = "starting", _("starting")
    CHARGING = "charging", _("charging")
    STOPPING = "stopping", _("stopping")
    COMPLETED = "completed", _("completed")
    REVIEW = "review", _("in review")
    ERROR = "error", _("failed")


_S = SessionStatus
TRANSITIONS: dict[SessionStatus, frozenset[SessionStatus]] = {
    _S.REQUESTED: frozenset({_S.STARTING, _S.CHARGING, _S.ERROR}),
    _S.STARTING: frozenset({_S.CHARGING, _S.STOPPING, _S.ERROR}),
    _S.CHARGING: frozenset({_S.STOPPING, _S.COMPLETED, _S.REVIEW}),
    _S.STOPPING: frozenset({_S.CHARGING, _S.COMPLETED, _S.REVIEW}),
    _S.REVIEW: frozenset({_S.COMPLETED}),
    # A late start of a session that was given up, and energy after a refused start.
    _S.ERROR: frozenset({_S.CHARGING, _S.REVIEW}),
    _S.COMPLETED: frozenset(),
}

PENDING = (_S.REQUESTED, _S.STARTING)
RUNNING = (_S.CHARGING, _S.STOPPING)
OPEN = PENDING + RUNNING
HOLDING = (*OPEN, _S.REVIEW)
WRITTEN_OFF = "written_off"
"""Why a session ended whose energy staff booked as a loss: nobody is known who took it."""


class SessionQuerySet(models.QuerySet["ChargingSession"]):
    def open(self) -> "SessionQuerySet":
        """Sessions that occupy their connector."""
        return self.filter(status__in=OPEN)

    def running(self) -> "SessionQuerySet":
        return self.filter(status__in=RUNNING)

    def for_driver(self, user: "User") -> "SessionQuerySet":
        return self.filter(user=user)

    def locked(self, session_id: uuid.UUID | str) -> "ChargingSession":
        """Lock one session for this transaction: the first lock of every use case.

        Raises SessionNotFound.
        """
        try:
            return self.select_for_update(of=("self",), no_key=True).get(pk=session_id)
        except self.model.DoesNotExist:
            raise SessionNotFound from None


class ChargingSession(models.Model):
    """One charge, from request to receipt.

    Energy is in Wh, money in minor units. `id_tag` is the session's own tag for a remote start,
    or the tag that was presented. `start_key` is the natural key of its StartTransaction (P3).
    `bill` stores the periods that the price was computed from, so it can be recomputed (P9).
    `due_at` is when the worker must look at it next. `stop_received_at` tells a session that its
    station ended from one that we ended on its last reading, which a late stop still corrects.
    `warned_at` is when its driver was told that most of the limit is used.
    `stated_minor` is the most that the driver pays by an operator's decision in review.
    """

    class LimitType(models.TextChoices):
        AMOUNT = "amount", _("amount")
        ENERGY = "energy", _("energy")
        TIME = "time", _("time")
        SOC = "soc", _("state of charge")
        FULL = "full", _("until full")

    class Origin(models.TextChoices):
        REMOTE = "remote", _("started by Kubat")
        TAG = "tag", _("started by tag")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="charging_sessions",
        db_index=False,
    )
    station = models.ForeignKey(
        Station, on_delete=models.PROTECT, related_name="sessions", db_index=False
    )
    connector_id = models.PositiveIntegerField(null=True, blank=True)
    origin = models.CharField(max_length=6, choices=Origin)
    status = models.CharField(max_length=9, choices=SessionStatus, default=SessionStatus.REQUESTED)
    error_code = models.CharField(max_length=40, blank=True)

    limit_type = models.CharField(max_length=6, choices=LimitType)
    limit_value = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    energy_limit_wh = models.BigIntegerField(null=True, blank=True)
    hold_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, null=True, related_name="sessions")

    id_tag = models.CharField(max_length=20)
    transaction_id = models.PositiveIntegerField(null=True, blank=True, unique=True)
    start_key = models.CharField(max_length=200, blank=True)

    meter_start_wh = models.DecimalField(max_digits=15, decimal_places=3, null=True, blank=True)
    meter_last_wh = models.DecimalField(max_digits=15, decimal_places=3, null=True, blank=True)
    meter_start_at = models.DateTimeField(null=True, blank=True, help_text=_("the station's clock"))
    meter_stop_wh = models.DecimalField(max_digits=15, decimal_places=3, null=True, blank=True)
    energy_wh = models.BigIntegerField(default=0)
    cost_minor = models.BigIntegerField(default=0)
    stated_minor = models.BigIntegerField(null=True, blank=True)
    bill = models.JSONField(null=True, blank=True)
    flags = models.JSONField(default=list, blank=True)

    requested_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_received_at = models.DateTimeField(null=True, blank=True)
    last_reading_at = models.DateTimeField(null=True, blank=True)
    lost_at = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_requested_by = models.CharField(max_length=12, blank=True)
    stop_reason = models.CharField(max_length=32, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("charging session")
        verbose_name_plural = _("charging sessions")
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["station", "connector_id"],
                condition=Q(status__in=OPEN),
                name="session_one_open_a_connector",
            ),
            models.UniqueConstraint(
                fields=["start_key"],
                condition=Q(status__in=OPEN) & ~Q(start_key=""),
                name="session_start_once_while_open",
            ),
            models.CheckConstraint(
                condition=Q(hold_minor__gte=0), name="session_hold_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(cost_minor__gte=0, cost_minor__lte=models.F("hold_minor"))
                | Q(user__isnull=True),
                name="session_cost_within_hold",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-requested_at"]),
            models.Index(fields=["station", "-requested_at"]),
            models.Index(fields=["-requested_at"], name="session_requested"),
            models.Index(fields=["started_at"], name="session_started"),
            models.Index(fields=["status"], name="session_status"),
            models.Index(fields=["id_tag"]),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="session_due"),
        ]

    def __str__(self) -> str:
        return f"{str(self.pk)[:8]} {self.status} {self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def reference(self) -> str:
        """How the books and the commands, which know no sessions, refer to this one."""
        return f"session:{self.pk}"

    @property
    def hold_key(self) -> str:
        return f"hold:{self.pk}"

    def readings_since_start(self) -> "models.QuerySet[Reading]":
        """Its readings but for a meterStop of a clock that was set back to before meterStart.

        The bound leads PostgreSQL past the partitions of the months before.
        """
        rows: models.QuerySet[Reading] = self.readings.all()
        return rows.filter(at__gte=self.meter_start_at) if self.meter_start_at else rows

    def move_to(
        self, status: SessionStatus, *, actor: str, at: dt.datetime | None = None, **detail: Any
    ) -> None:
        """Change state and write the event, in the caller's transaction and under its lock.

        `actor` says who: driver, staff, station, kubat. The caller saves its other fields first
        or after; this saves `status` and `version` only. Raises TransitionRefused.
        """
        if status not in TRANSITIONS[SessionStatus(self.status)]:
            raise TransitionRefused(f"{self.status} → {status} is not allowed.")
        SessionEvent.objects.create(
            session=self,
            kind=SessionEvent.Kind.MOVED,
            from_status=self.status,
            to_status=status,
            actor=actor,
            detail=_jsonable(detail),
            at=at or timezone.now(),
        )
        self.status = status
        self.version += 1
        self.save(update_fields=["status", "version"])

    def note(self, kind: "SessionEvent.Kind", *, actor: str, **detail: Any) -> None:
        """Write an event that is not a move."""
        SessionEvent.objects.create(
            session=self,
            kind=kind,
            from_status=self.status,
            to_status=self.status,
            actor=actor,
            detail=_jsonable(detail),
        )


def _jsonable(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value if isinstance(value, int | str | bool | None | list | dict) else str(value)
        for key, value in detail.items()
    }


class TransactionNumber(models.Model):
    """The source of OCPP transaction ids: positive int32, unique over all stations, never 0."""

    id = models.AutoField(primary_key=True)

    def __str__(self) -> str:
        return str(self.pk)


class SessionEvent(models.Model):
    """One thing that happened to a session: append-only."""

    class Kind(models.TextChoices):
        MOVED = "moved", _("state")
        HELD = "held", _("hold")
        STOP_ASKED = "stop_asked", _("stop asked for")
        COMMAND = "command", _("command answered")
        FLAGGED = "flagged", _("flagged")
        SETTLED = "settled", _("settled")
        CORRECTED = "corrected", _("corrected")
        STAFF = "staff", _("by staff")

    session = models.ForeignKey(ChargingSession, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind)
    from_status = models.CharField(max_length=9)
    to_status = models.CharField(max_length=9)
    actor = models.CharField(max_length=150)
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("session event")
        verbose_name_plural = _("session events")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.to_status}"
