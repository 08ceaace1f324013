"""What people read: one alert by itself, or many in one message, in the language of a channel."""

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from ..models import Alert, AlertNotice
from . import kinds
from .kinds import Words
from .wire import Tone

MAX_NAMES = 10
MAX_LINES = 30
MAX_CHARS = 3500
"""Telegram takes 4,096."""

Event = AlertNotice.Event
Severity = Alert.Severity

_CRITICAL = Words("critical", "критично", "өтө маанилүү")
_RESOLVED = Words("Resolved", "Устранено", "Чечилди")
_OPENED = Words("Opened", "Открыто", "Ачылды")
_STATION = Words("Station", "Станция", "Станция")
_SITE = Words("Site", "Площадка", "Аянтча")
_SINCE = Words("Since", "С", "Башталышы")
_LASTED = Words("Lasted", "Длилось", "Созулду")
_TO_DO = Words("What to do", "Что делать", "Эмне кылуу керек")
_WHY = Words("Resolved by staff", "Закрыто сотрудником", "Кызматкер жапты")
_COUNTS = Words(
    "Kubat: {opened} opened, {resolved} resolved",
    "Kubat: открыто {opened}, устранено {resolved}",
    "Kubat: {opened} ачылды, {resolved} чечилди",
)
_MORE = Words("and {count} more", "и ещё {count}", "дагы {count}")
_MINUTES = Words("{minutes} min", "{minutes} мин", "{minutes} мүн")
_HOURS = Words("{hours} h {minutes} min", "{hours} ч {minutes} мин", "{hours} с {minutes} мүн")
_TEST = Words("A test of Kubat", "Проверка Kubat", "Kubat сыноосу")
_TEST_BODY = Words(
    "Alerts will come by this channel.",
    "Оповещения будут приходить по этому каналу.",
    "Билдирүүлөр ушул канал аркылуу келет.",
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str
    body: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Voice:
    """How a channel speaks: its language, and the clock that its times are told by."""

    language: str
    zone: zoneinfo.ZoneInfo


def compose(notices: Sequence[AlertNotice], voice: Voice) -> Message:
    """Write what these notices say: alone in full, several as a digest."""
    if len(notices) == 1:
        return alone(notices[0].alert, Event(notices[0].event), voice)
    return digest(notices, voice)


def alone(alert: Alert, event: AlertNotice.Event, voice: Voice) -> Message:
    """Write one event of one alert."""
    is_resolved = event == Event.RESOLVED
    name = kinds.title_of(alert.kind, voice.language)
    where = str(alert.station or alert.site or "")
    if is_resolved:
        name = f"{_RESOLVED[voice.language]}: {name}"
    elif alert.severity == Severity.CRITICAL:
        name = f"[{_CRITICAL[voice.language]}] {name}"
    lines = [alert.text, *_where(alert, voice), *_when(alert, voice, is_resolved=is_resolved)]
    advice = kinds.advice_for(alert.kind, voice.language)
    if advice and not is_resolved:
        lines.append(f"{_TO_DO[voice.language]}: {advice}")
    title = f"{name} · {where}" if where else name
    return Message(title, "\n".join([*lines, *_link(alert)]), _tone(alert, event))


def digest(notices: Sequence[AlertNotice], voice: Voice) -> Message:
    """Write many events in one message, those of one kind and site in one line."""
    opened = [one.alert for one in notices if one.event == Event.OPENED]
    resolved = [one.alert for one in notices if one.event == Event.RESOLVED]
    counts = {"opened": len(opened), "resolved": len(resolved)}
    lines = [
        *_section(_OPENED[voice.language], opened, voice),
        *_section(_RESOLVED[voice.language], resolved, voice),
    ]
    title = _COUNTS[voice.language].format(**counts)
    tone = max((_tone(one.alert, Event(one.event)) for one in notices), key=_TONES.index)
    return Message(title, "\n".join([*_bounded(lines, voice), *_list_link()]), tone)


def trial(voice: Voice) -> Message:
    """Write what *Send a test* sends."""
    return Message(_TEST[voice.language], _TEST_BODY[voice.language], Tone.INFO)


_TONES = (Tone.SUCCESS, Tone.INFO, Tone.WARNING, Tone.FAILURE)


def _tone(alert: Alert, event: AlertNotice.Event) -> Tone:
    if event == Event.RESOLVED:
        return Tone.SUCCESS
    tones = {Severity.INFO: Tone.INFO, Severity.WARNING: Tone.WARNING}
    return tones.get(Severity(alert.severity), Tone.FAILURE)


def _where(alert: Alert, voice: Voice) -> Iterable[str]:
    station = alert.station
    if station:
        named = f" ({station.name})" if station.name else ""
        yield f"{_STATION[voice.language]}: {station}{named}"
    if alert.site:
        yield f"{_SITE[voice.language]}: {alert.site}"


def _when(alert: Alert, voice: Voice, *, is_resolved: bool) -> Iterable[str]:
    since = alert.opened_at.astimezone(voice.zone)
    yield f"{_SINCE[voice.language]}: {since:%Y-%m-%d %H:%M} ({voice.zone.key})"
    if is_resolved and alert.resolved_at:
        lasted = _duration(alert.resolved_at - alert.opened_at, voice)
        yield f"{_LASTED[voice.language]}: {lasted}"
    if is_resolved and alert.resolution:
        yield f"{_WHY[voice.language]}: {alert.resolution}"


def _duration(length: dt.timedelta, voice: Voice) -> str:
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    form = _HOURS if hours else _MINUTES
    return form[voice.language].format(hours=hours, minutes=minutes)


def _section(heading: str, alerts: Sequence[Alert], voice: Voice) -> list[str]:
    groups: defaultdict[tuple[bool, str, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        is_critical = alert.severity == Severity.CRITICAL
        groups[not is_critical, alert.kind, str(alert.site or "")].append(alert)
    lines = [_line(group, voice) for _, group in sorted(groups.items(), key=lambda one: one[0])]
    return [f"{heading}:", *lines] if lines else []


def _line(group: Sequence[Alert], voice: Voice) -> str:
    """All alerts of one kind at one site."""
    first, title = group[0], kinds.title_of(group[0].kind, voice.language)
    site = f", {first.site}" if first.site else ""
    mark = f"[{_CRITICAL[voice.language]}] " if first.severity == Severity.CRITICAL else ""
    if len(group) == 1:
        return f"- {mark}{title}{site}: {first.text}"
    names = [str(alert.station or alert.text) for alert in group]
    return f"- {mark}{title}{site} ({len(group)}): {_listed(names, voice)}"


def _listed(names: Sequence[str], voice: Voice) -> str:
    shown = ", ".join(names[:MAX_NAMES])
    left = len(names) - MAX_NAMES
    return f"{shown}, {_MORE[voice.language].format(count=left)}" if left > 0 else shown


def _bounded(lines: Sequence[str], voice: Voice) -> list[str]:
    """As many lines as a message may have, and how many there were beside."""
    kept: list[str] = []
    for line in lines[:MAX_LINES]:
        if sum(map(len, kept)) + len(line) > MAX_CHARS:
            break
        kept.append(line)
    left = len(lines) - len(kept)
    return [*kept, _MORE[voice.language].format(count=left)] if left else kept


def _link(alert: Alert) -> Iterable[str]:
    if settings.CSMS_PUBLIC_URL:
        page = reverse("admin:stations_alert_change", args=[alert.pk])
        yield settings.CSMS_PUBLIC_URL.rstrip("/") + page


def _list_link() -> Iterable[str]:
    if settings.CSMS_PUBLIC_URL:
        page = reverse("admin:stations_alert_changelist")
        yield settings.CSMS_PUBLIC_URL.rstrip("/") + page + "?open=1"
