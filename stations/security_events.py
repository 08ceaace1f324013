"""Keep what stations say of their own safety, and tell an operator of what needs a look."""

import datetime as dt
from dataclasses import dataclass

from . import alerts
from .models import Alert, SecurityEvent, Station

ALERT, FLOOD = "security_event", "security_event_flood"
MAX_ROWS = 5000
"""A station that says more than this in the time that events are kept fills no disk."""
_WARNING, _CRITICAL = Alert.Severity.WARNING, Alert.Severity.CRITICAL
ALARMING = {
    "AttemptedReplayAttacks": _CRITICAL,
    "InvalidCentralSystemCertificate": _WARNING,
    "InvalidChargePointCertificate": _WARNING,
    "InvalidFirmwareSignature": _CRITICAL,
    "InvalidFirmwareSigningCertificate": _CRITICAL,
    "MemoryExhaustion": _WARNING,
    "SecurityLogWasCleared": _CRITICAL,
    "SettingSystemTime": _WARNING,
    "TamperDetectionActivated": _CRITICAL,
}
"""The events that a person should look at (whitepaper, edition 3, appendix): not those of every
day, such as StartupOfTheDevice, ResetOrReboot and FirmwareUpdated."""


@dataclass(frozen=True, slots=True)
class SecurityNotice:
    """One SecurityEventNotification (whitepaper 5.14); `at` is None where it cannot be read."""

    type: str
    at: dt.datetime | None
    received_at: dt.datetime
    tech_info: str = ""


def record(*, station: Station, notice: SecurityNotice) -> None:
    """Keep an event once, and open an alert where it is one of those that need a look."""
    said = {"type": notice.type, "at": notice.at, "tech_info": notice.tech_info}
    kept = SecurityEvent.objects.filter(station=station)
    if kept.filter(**said).exists():
        return
    if kept.count() >= MAX_ROWS:
        text = f"{station} sends security events without end; they are kept no more."
        alerts.open_alert(FLOOD, str(station.pk), text, station=station)
        return
    SecurityEvent.objects.create(station=station, received_at=notice.received_at, **said)
    severity = ALARMING.get(notice.type)
    if severity is not None:
        text = f"{station} reports {notice.type}."
        cause = f"{station.pk}:{notice.type}"
        alerts.open_alert(ALERT, cause, text, station=station, severity=severity)
