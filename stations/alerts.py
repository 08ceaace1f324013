"""Open and resolve alerts: one open row for one cause, told once through the outbox.

Who is told of them, where and when, is `stations.alerting`; which rules look for causes by
themselves is `config.watch`.
"""

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing.models import OutboxMessage, User
from billing.reasons import stated

from . import audit
from .alerting.kinds import ends_itself
from .errors import AlertEndsItself
from .models import Alert, Site, Station

OPENED, RESOLVED = "alert.opened", "alert.resolved"
"""Topics of the outbox; the payload names the alert."""
MAX_TEXT = 250


@transaction.atomic
def open_alert(
    kind: str,
    cause: str,
    text: str,
    *,
    station: Station | None = None,
    site: Site | None = None,
    severity: Alert.Severity = Alert.Severity.WARNING,
    times: int = 1,
    **detail: Any,
) -> None:
    """Open an alert for `kind:cause`, or count `times` more on the open one."""
    name = f"{kind}:{cause}"
    text = text[:MAX_TEXT]
    now = timezone.now()
    alert = Alert(
        kind=kind,
        cause=name,
        text=text,
        station=station,
        site_id=site.pk if site else station.site_id if station else None,
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
        defaults={"topic": OPENED, "payload": {"alert": opened.pk, "text": text}},
    )


@transaction.atomic
def resolve_alert(kind: str, cause: str) -> None:
    """Resolve the open alert of `kind:cause`, if there is one."""
    for alert in Alert.objects.filter(cause=f"{kind}:{cause}", resolved_at__isnull=True):
        _resolve(alert)


@transaction.atomic
def resolve_by_staff(*, alert_id: int, by: User, reason: str) -> None:
    """Resolve what nothing else resolves; who and why stays on the row (P10).

    One that is resolved already stays as it is. Raises Invalid without a reason, AlertEndsItself
    where a rule watches its cause: the rule would open it again.
    """
    reason = stated(reason)
    alert = Alert.objects.get(pk=alert_id)
    if ends_itself(alert.kind):
        raise AlertEndsItself
    if _resolve(alert, by=by, resolution=reason):
        audit.record(by, audit.CHANGE, alert, "resolved", reason=reason)


def _resolve(alert: Alert, *, by: User | None = None, resolution: str = "") -> bool:
    """Resolve one open alert, and say so once; False where someone else has."""
    open_row = Alert.objects.filter(pk=alert.pk, resolved_at__isnull=True)
    if not open_row.update(resolved_at=timezone.now(), resolved_by=by, resolution=resolution):
        return False
    OutboxMessage.objects.get_or_create(
        key=f"alert:{alert.pk}:resolved",
        defaults={"topic": RESOLVED, "payload": {"alert": alert.pk, "text": alert.text}},
    )
    return True
