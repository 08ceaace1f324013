"""Look by the rules that are due: one worker at a time looks by one rule."""

import datetime as dt
import time
from collections.abc import Iterable

from stations import alerts
from stations.alerting import kinds
from stations.apart import apart
from stations.models import Alert

from ..models import RuleLook
from .rule import Found, Look, Rule
from .rules import RULES

CLAIMED = dt.timedelta(minutes=1)
"""A worker that dies while it looks delays the next look by so much."""
FIRST_SINCE = dt.timedelta(minutes=5)


def run_due(now: dt.datetime) -> int:
    """Look by each rule that is due; return how many alerts were opened and resolved.

    Any number of workers may call it. A look that is older than another never opens what that
    one has resolved: a rule is claimed for longer than it takes.
    """
    waiting = set(RuleLook.objects.filter(due_at__gt=now).values_list("kind", flat=True))
    changed = 0
    for rule in RULES:
        if rule.kind not in waiting and (claim := _claim(rule, now)) is not None:
            done: list[int] = []
            apart(_look, rule, claim, now, done)
            changed += sum(done)
    return changed


def _claim(rule: Rule, now: dt.datetime) -> RuleLook | None:
    """Take a rule for a minute; None where another worker was faster."""
    RuleLook.objects.bulk_create([RuleLook(kind=rule.kind, due_at=now)], ignore_conflicts=True)
    due = RuleLook.objects.filter(kind=rule.kind, due_at__lte=now)
    if not due.update(due_at=now + CLAIMED):
        return None
    return RuleLook.objects.get(kind=rule.kind)


def _look(rule: Rule, claim: RuleLook, now: dt.datetime, done: list[int]) -> None:
    """Open what has begun and resolve what is over; `done` gets how many."""
    began = time.monotonic()
    look = Look(rule.kind, now, claim.until or now - FIRST_SINCE)
    ended, found = list(rule.over(look)), _new(rule, rule.begun(look))
    for cause in ended:
        alerts.resolve_alert(rule.kind, cause)
    for one in found:
        _open(rule, one)
    done.append(len(ended) + len(found))
    mine = RuleLook.objects.filter(kind=rule.kind, due_at=claim.due_at)
    mine.update(
        due_at=now + dt.timedelta(seconds=rule.every_s),
        looked_at=now,
        until=now,
        took_ms=round(1000 * (time.monotonic() - began)),
    )


def _new(rule: Rule, found: Iterable[Found]) -> list[Found]:
    """Those that have no open alert yet: an open one is neither told again nor counted."""
    by_cause = {f"{rule.kind}:{one.cause}": one for one in found}
    known = Alert.objects.open().filter(cause__in=by_cause)
    for cause in known.values_list("cause", flat=True):
        del by_cause[cause]
    return list(by_cause.values())


def _open(rule: Rule, found: Found) -> None:
    alerts.open_alert(
        rule.kind,
        found.cause,
        found.text,
        station=found.station,
        site=found.site,
        severity=Alert.Severity(kinds.BY_NAME[rule.kind].severity),
        **found.detail,
    )
