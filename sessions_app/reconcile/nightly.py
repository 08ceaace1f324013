"""The nightly reconcile: once for each local day, by whichever worker claims it, kept as a row."""

import datetime as dt
import logging
import uuid
import zoneinfo
from collections import Counter
from dataclasses import asdict

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from billing.day_totals import DayTotal, day_totals
from stations import alerts
from stations.models import Alert

from ..models import ReconcileRun
from .finding import Finding
from .run import examine
from .snapshot import snapshot

logger = logging.getLogger(__name__)

RUNS_AT_MOST = dt.timedelta(hours=1)
"""A run that is older than this and has no result is that of a worker that died."""
MAX_FINDINGS = 200
"""So many findings are kept; the command shows them all."""
ALERT = ("reconcile", "nightly")
Exit = ReconcileRun.Exit


def run_nightly(now: dt.datetime) -> int:
    """Examine the books once CSMS_RECONCILE_HOUR has struck; return how many findings there are.

    Later calls of the day do nothing. The day that is closed is the last whole one.
    """
    zone = zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)
    local = now.astimezone(zone)
    if local.hour < settings.CSMS_RECONCILE_HOUR:
        return 0
    run = _claim(local.date() - dt.timedelta(days=1), zone, now)
    return _perform(run, zone) if run else 0


def _claim(day: dt.date, zone: zoneinfo.ZoneInfo, now: dt.datetime) -> ReconcileRun | None:
    """Claim the run of a day; None when it is done, or another worker is at it."""
    run = ReconcileRun.objects.filter(day=day).first()
    if run is None:
        mine = ReconcileRun(day=day, time_zone=zone.key, started_at=now)
        ReconcileRun.objects.bulk_create([mine], ignore_conflicts=True)
        return ReconcileRun.objects.filter(day=day, claim=mine.claim).first()
    if run.exit is not None or run.started_at > now - RUNS_AT_MOST:
        return None
    same = ReconcileRun.objects.filter(pk=run.pk, claim=run.claim, exit=None)
    claim = uuid.uuid4()
    same.update(claim=claim, started_at=now, time_zone=zone.key)
    return ReconcileRun.objects.filter(pk=run.pk, claim=claim).first()


def _perform(run: ReconcileRun, zone: zoneinfo.ZoneInfo) -> int:
    """Do a run that we claimed, store its result, and tell of it."""
    try:
        with snapshot():
            findings = examine(timezone.now())
            totals = day_totals(run.day, zone)
    except (OperationalError, InterfaceError):
        raise  # the database is away: whoever takes the run over tries again
    except Exception as error:  # the row must say that reconcile itself failed
        logger.exception("reconcile of %s could not finish", run.day)
        _fail(run, error)
        return 0
    _conclude(run, findings, totals)
    return len(findings)


@transaction.atomic
def _fail(run: ReconcileRun, error: Exception) -> None:
    if _store(run, Exit.FAILURE, error=repr(error)[:500]):
        _alert(run, f"The nightly reconcile of {run.day} could not finish.")


@transaction.atomic
def _conclude(run: ReconcileRun, findings: list[Finding], totals: list[DayTotal]) -> None:
    is_mine = _store(
        run,
        Exit.FINDINGS if findings else Exit.CLEAN,
        counts=dict(Counter(finding.code for finding in findings).most_common()),
        findings=[finding.to_json() for finding in findings[:MAX_FINDINGS]],
        totals=[asdict(total) | {"closing_minor": total.closing_minor} for total in totals],
    )
    if is_mine and findings:
        _alert(run, f"The nightly reconcile of {run.day} has {len(findings)} findings.")
    elif is_mine:
        alerts.resolve_alert(*ALERT)


def _store(run: ReconcileRun, outcome: ReconcileRun.Exit, **result: object) -> bool:
    """Write the result, unless another worker has taken the run over."""
    mine = ReconcileRun.objects.filter(pk=run.pk, claim=run.claim, exit=None)
    return bool(mine.update(exit=outcome, finished_at=timezone.now(), **result))


def _alert(run: ReconcileRun, text: str) -> None:
    alerts.open_alert(*ALERT, text, severity=Alert.Severity.CRITICAL, day=str(run.day))
