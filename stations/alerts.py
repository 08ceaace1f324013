"""Open and resolve alerts: one open row for one cause, told once through the outbox."""

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing.models import OutboxMessage

from .models import Alert, Station


@transaction.atomic
def open_alert(
    kind: str,
    cause: str,
    text: str,
    *,
    station: Station | None = None,
    severity: Alert.Severity = Alert.Severity.WARNING,
    times: int = 1,
    **detail: Any,
) -> None:
    """Open an alert for `kind:cause`, or count `times` more on the open one."""
    name = f"{kind}:{cause}"
    now = timezone.now()
    alert = Alert(
        kind=kind,
        cause=name,
        text=text,
        station=station,
        severity=severity,
        detail=detail,
        count=times,
    )
    open_rows = Alert.objects.filter(cause=name, resolved_at__isnull=True)
    if open_rows.update(count=F("count") + times, last_seen_at=now, text=text):
        return
    Alert.objects.bulk_create([alert], ignore_conflicts=True)
    opened = open_rows.get()
    OutboxMessage.objects.get_or_create(
        key=f"alert:{opened.pk}:opened",
        defaults={"topic": "alert.opened", "payload": {"alert": opened.pk, "text": text}},
    )


@transaction.atomic
def resolve_alert(kind: str, cause: str) -> None:
    """Resolve the open alert of `kind:cause`, if there is one."""
    name = f"{kind}:{cause}"
    for alert in Alert.objects.filter(cause=name, resolved_at__isnull=True):
        alert.resolved_at = timezone.now()
        alert.save(update_fields=["resolved_at"])
        OutboxMessage.objects.get_or_create(
            key=f"alert:{alert.pk}:resolved",
            defaults={
                "topic": "alert.resolved",
                "payload": {"alert": alert.pk, "text": alert.text},
            },
        )
