"""The nightly reconcile: once a local day, by one worker, as a row, with an alert."""

import datetime as dt
import threading
import zoneinfo

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from billing.models import Account, Transfer
from conftest import top_up
from sessions_app.models import ReconcileRun
from sessions_app.reconcile import Finding, examine, nightly, run_nightly
from stations.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)
ZONE = zoneinfo.ZoneInfo("Asia/Bishkek")
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def night():
    """Four in the morning of tomorrow, so that today is a whole day."""
    tomorrow = timezone.localdate(timezone=ZONE) + DAY
    return dt.datetime.combine(tomorrow, dt.time(4), ZONE)


def open_alert():
    return Alert.objects.filter(kind="reconcile", resolved_at__isnull=True).first()


def break_books(by=1):
    Account.objects.filter(kind="customer").update(balance_minor=F("balance_minor") + by)


def test_a_clean_night_is_a_row_with_the_totals_of_its_day(alice, night):
    assert run_nightly(night) == 0
    run = ReconcileRun.objects.get()
    assert run.day == night.date() - DAY
    assert (run.exit, run.outcome, run.counts, run.findings) == (0, "clean", {}, [])
    assert run.totals[0] == {
        "kind": "customer",
        "opening_minor": 0,
        "debits_minor": 0,
        "credits_minor": 100_000,
        "closing_minor": 100_000,
    }
    assert sum(total["closing_minor"] for total in run.totals) == 0
    assert open_alert() is None


def test_it_waits_for_its_hour_and_runs_once_a_day(alice, night, settings):
    settings.CSMS_RECONCILE_HOUR = 4
    run_nightly(night - dt.timedelta(seconds=1))
    assert not ReconcileRun.objects.exists()
    run_nightly(night)
    first = ReconcileRun.objects.get()
    run_nightly(night + HOUR)
    assert ReconcileRun.objects.get().finished_at == first.finished_at
    run_nightly(night + DAY)
    assert ReconcileRun.objects.count() == 2


def test_findings_open_an_alert_and_the_next_clean_night_resolves_it(alice, night):
    break_books()
    assert run_nightly(night) == 2
    run = ReconcileRun.objects.get()
    assert (run.exit, run.counts) == (1, {"balance_wrong": 1, "books_unbalanced": 1})
    assert [row["code"] for row in run.findings] == ["balance_wrong", "books_unbalanced"]
    assert "2 findings" in open_alert().text
    break_books(-1)
    assert run_nightly(night + DAY) == 0
    assert open_alert() is None


def test_kept_findings_are_bounded_and_counts_are_not(alice, night, monkeypatch):
    monkeypatch.setattr(nightly, "MAX_FINDINGS", 1)
    break_books()
    run_nightly(night)
    run = ReconcileRun.objects.get()
    assert len(run.findings) == 1
    assert sum(run.counts.values()) == 2


def test_a_run_whose_worker_died_is_taken_over(alice, night):
    ReconcileRun.objects.create(day=night.date() - DAY, time_zone=ZONE.key, started_at=night)
    run_nightly(night + HOUR / 2)
    assert ReconcileRun.objects.get().exit is None, "it may still be at work"
    run_nightly(night + nightly.RUNS_AT_MOST)
    assert ReconcileRun.objects.get().exit == 0


def test_who_lost_its_claim_stores_nothing(alice, night):
    """The first worker hangs in the middle; another has the result before it goes on."""
    day = night.date() - DAY
    first = nightly._claim(day, ZONE, night)
    second = nightly._claim(day, ZONE, night + nightly.RUNS_AT_MOST)
    assert nightly._perform(second, ZONE) == 0
    nightly._conclude(first, [Finding("stale", "row", "What it saw is no longer so.")], [])
    assert ReconcileRun.objects.get().exit == 0
    assert open_alert() is None


def test_a_fault_is_a_row_and_an_alert(alice, night):
    """Here an earlier run is damaged, which no check expects."""
    run_nightly(night)
    ReconcileRun.objects.update(totals=[{"kind": "customer"}])
    run_nightly(night + DAY)
    run = ReconcileRun.objects.first()
    assert (run.exit, run.error) == (2, "KeyError('closing_minor')")
    assert "could not finish" in open_alert().text


def test_two_workers_at_once_make_one_run(alice, night):
    def work():
        try:
            run_nightly(night)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert ReconcileRun.objects.get().exit == 0


@pytest.mark.parametrize("do", ["delete", "add", "alter"])
def test_a_closed_day_that_was_changed_is_found(alice, bob, night, do):
    top_up(bob, 500)
    run_nightly(night)
    transfer = Transfer.objects.get(amount_minor=500)
    if do == "delete":
        transfer.delete()
    elif do == "alter":
        Transfer.objects.filter(pk=transfer.pk).update(amount_minor=700)
    else:
        Transfer.objects.create(
            key="forged",
            kind="posted",
            code="topup",
            debit=transfer.debit,
            credit=transfer.credit,
            amount_minor=1,
        )
    changed = [row for row in examine(timezone.now()) if row.code == "day_changed"]
    assert {row.subject for row in changed} == {f"day {night.date() - DAY}"}
    assert {row.text.split()[3] for row in changed} == {"customer", "funding"}


def test_a_day_of_another_time_zone_is_not_compared(alice, night, settings):
    run_nightly(night)
    settings.CSMS_TIME_ZONE = "America/New_York"
    assert examine(timezone.now()) == []


def test_the_first_page_tells_of_the_books(client, alice, olga, night):
    client.force_login(olga)
    assert "Books: not reconciled yet" in client.get("/admin/").text
    break_books()
    run_nightly(night)
    page = client.get("/admin/").text
    assert "findings (2)" in page
    run = ReconcileRun.objects.get()
    link = f"/admin/sessions_app/reconcilerun/{run.pk}/change/"
    assert link in page
    detail = client.get(link).text
    assert "balance_wrong" in detail
    assert "1000.00 KGS" in detail
