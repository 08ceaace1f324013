"""Commands, charges and losses as the metrics tell them: made by the real path, summed up twice."""

import datetime as dt

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import ledger
from billing.models import Account, Payment, Transfer
from config import tallies
from config.models import Tally
from config.tests.test_metrics import scrape  # noqa: F401  # a fixture
from sessions_app.models import ChargingSession
from sessions_app.services import calls
from sessions_app.tests.stage import Stage
from stations import commands
from stations.models import Command, Site

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def stage(station):
    station.site = Site.objects.create(name="Osh bazaar")
    station.save()
    return Stage(station)


@pytest.fixture(params=["live", "kept", "half kept"])
def told(request, scrape):  # noqa: F811
    """What is scraped: summed up at the scrape, by the worker, or by both."""

    def read():
        if request.param != "live":
            age(2 if request.param == "half kept" else 0)
            tallies.run_due(timezone.now())
            assert Tally.objects.filter(pk="charges").exists()
        return scrape()

    return read


def age(every):
    """Let it all, or all but each second one, have happened an hour ago."""
    for model, *moments in (
        (Transfer, "created_at"),
        (Command, "resolved_at", "sent_at"),
        (ChargingSession, "ended_at"),
    ):
        rows = model.objects.exclude(**{f"{moments[0]}__isnull": True}).order_by(moments[0])
        for number, row in enumerate(rows):
            if not every or number % every == 0:
                earlier = {moment: F(moment) - HOUR for moment in moments}
                model.objects.filter(pk=row.pk).update(**earlier)


def charge(stage, driver, energy_wh, limit="10"):
    session = stage.charge(driver, "energy", limit)
    stage.deliver(session.transaction_id, energy_wh)
    stage.end(session.transaction_id)
    return session


def bucket(values, name, bound, *labels):
    return values[(f"{name}_bucket", *sorted([bound, *labels]))]


def test_energy_past_the_limit_is_told_in_wh_and_in_money(told, stage, alice):
    charge(stage, alice, 10_000)  # 125.00
    charge(stage, alice, 10_300)  # 3.75 past it
    charge(stage, alice, 12_000)  # 25.00 past it
    values = told()
    assert values["kubat_charges_total", "Osh bazaar"] == 3
    assert values["kubat_energy_watt_hours_total", "Osh bazaar"] == 32_300
    assert values["kubat_overshoot_watt_hours_total", "Osh bazaar"] == 2_300
    name = "kubat_session_overshoot_watt_hours"
    counts = [bucket(values, name, bound) for bound in ("0.0", "250.0", "500.0", "2000.0", "+Inf")]
    assert counts == [1, 1, 2, 3, 3]
    assert (values[f"{name}_count",], values[f"{name}_sum",]) == (3, 2_300)
    assert values["kubat_loss_total", "Osh bazaar"] == 28.75
    assert values["kubat_balance", "KGS", "loss"] == -28.75
    assert values["kubat_loss_reversed_total", "Osh bazaar"] == 0


def test_losses_of_all_sites_are_the_balance_of_the_loss_account(told, stage, alice):
    for energy_wh in (10_001, 11_111, 17_777):
        charge(stage, alice, energy_wh)
    values = told()
    lost = values["kubat_loss_total", "Osh bazaar"]
    assert round(lost * 100) == -ledger.house(Account.Kind.LOSS).balance_minor > 0


def test_a_charge_below_its_limit_is_no_overshoot(told, stage, alice):
    charge(stage, alice, 9_000)
    values = told()
    assert values["kubat_overshoot_watt_hours_total", "Osh bazaar"] == 0
    assert bucket(values, "kubat_session_overshoot_watt_hours", "0.0") == 1
    assert values["kubat_loss_total", "Osh bazaar"] == 0


def test_a_session_that_is_not_settled_is_no_charge(told, stage, alice):
    charge(stage, alice, 1_000)
    stage.charge(alice, "energy", "10")
    stage.ask(alice, "energy", "5", connector_id=2)
    assert told()["kubat_charges_total", "Osh bazaar"] == 1


def test_a_station_of_no_site_is_told_as_such(scrape, station, alice):  # noqa: F811
    charge(Stage(station), alice, 10_300)
    values = scrape()
    assert values["kubat_charges_total", "none"] == 1
    assert values["kubat_loss_total", "none"] == 3.75
    assert values["kubat_site_stations", "none"] == 1


def test_a_loss_that_belongs_to_no_session_is_told_without_a_site(scrape, alice):  # noqa: F811
    for number, reference in enumerate(["session:nonsense", "x:1", ""]):
        ledger.post(
            key=f"l{number}",
            code=Transfer.Code.LOSS,
            debit=ledger.house(Account.Kind.LOSS),
            credit=ledger.house(Account.Kind.SALES),
            amount=100,
            reference=reference,
        )
    assert scrape()["kubat_loss_total", "none"] == 3


def ended(station, status, *, action="Reset", after_s=None):
    """A command that ended so, `after_s` after it went out."""
    row = commands.send(station=station, action=action, payload={}, lane=Command.Lane.ASKED)
    now = timezone.now()
    sent_at = now - dt.timedelta(seconds=after_s) if after_s is not None else None
    Command.objects.filter(pk=row.pk).update(status=status, sent_at=sent_at, resolved_at=now)


def test_commands_are_told_by_how_they_ended_and_when_they_were_answered(told, stage, alice):
    charge(stage, alice, 1_000)
    station = stage.station
    ended(station, "answered", after_s=0.2)
    ended(station, "answered", after_s=3)
    ended(station, "timed_out", after_s=15)
    ended(station, "expired")
    values = told()
    assert values["kubat_commands_ended_total", "Reset", "answered"] == 2
    assert values["kubat_commands_ended_total", "Reset", "timed_out"] == 1
    assert values["kubat_commands_ended_total", "Reset", "expired"] == 1
    assert values["kubat_commands_ended_total", "RemoteStartTransaction", "answered"] == 1
    name = "kubat_command_seconds"
    counts = [bucket(values, name, bound, "Reset") for bound in ("0.1", "0.25", "2.5", "5.0")]
    assert counts == [0, 1, 1, 2]
    assert values[f"{name}_count", "Reset"] == 2
    assert values[f"{name}_sum", "Reset"] == pytest.approx(3.2)


def test_a_command_that_is_under_way_has_not_ended(scrape, stage, alice):  # noqa: F811
    stage.ask(alice, "energy", "5")
    calls.claim(station_pk=stage.station.pk, fence=stage.station.fence)
    assert ("kubat_commands_ended_total", "RemoteStartTransaction", "sent") not in scrape()


def test_actions_that_nobody_knows_are_one(scrape, station):  # noqa: F811
    for action in ("Nonsense", "x" * 50):
        ended(station, "failed", action=action)
    assert scrape()["kubat_commands_ended_total", "failed", "other"] == 2


def test_what_is_thrown_away_was_counted_and_stays_so(scrape, stage, alice):  # noqa: F811
    charge(stage, alice, 1_000)
    age(0)
    tallies.run_due(timezone.now())
    Command.objects.all().delete()
    values = scrape()
    assert values["kubat_commands_ended_total", "RemoteStartTransaction", "answered"] == 1


def test_what_is_kept_is_not_read_again(client, stage, alice):
    charge(stage, alice, 1_000)
    age(0)
    tallies.run_due(timezone.now())
    with CaptureQueriesContext(connection) as queries:
        client.get("/metrics")
    read = [q["sql"] for q in queries if '"ended_at"' in q["sql"]]
    assert len(read) == 1
    assert '"ended_at" >=' in read[0]


def test_payments_are_told_by_provider_and_state(scrape, alice, bob):  # noqa: F811
    rows = [("freedompay", "pending", 1_000), ("freedompay", "pending", 250)]
    for provider, status, minor in [*rows, ("osmp", "failed", 99)]:
        Payment.objects.create(
            user=bob, provider=provider, status=status, amount_minor=minor, currency="KGS"
        )
    values = scrape()
    assert values["kubat_payments", "manual", "paid"] == 1
    assert values["kubat_payments_amount", "manual", "paid"] == 1000
    assert values["kubat_payments", "freedompay", "pending"] == 2
    assert values["kubat_payments_amount", "freedompay", "pending"] == 12.5
    assert values["kubat_payments_amount", "failed", "osmp"] == 0.99


def test_many_payments_are_counted_by_the_worker_but_for_the_pending(
    scrape,  # noqa: F811
    alice,
    bob,
    monkeypatch,
):
    monkeypatch.setattr(tallies, "SMALL", 1)
    tallies.run_due(timezone.now())
    options = {"user": bob, "provider": "osmp", "amount_minor": 100, "currency": "KGS"}
    for status in ("pending", "paid"):
        Payment.objects.create(status=status, **options)
    values = scrape()
    assert values["kubat_payments", "manual", "paid"] == 1
    assert values["kubat_payments", "osmp", "pending"] == 1
    assert ("kubat_payments", "osmp", "paid") not in values
    tallies.run_due(timezone.now() + HOUR)
    assert scrape()["kubat_payments", "osmp", "paid"] == 1


def test_two_workers_sum_up_once(stage, alice, scrape):  # noqa: F811
    charge(stage, alice, 10_300)
    age(0)
    now = timezone.now()
    for _ in range(3):
        tallies.run_due(now)
    assert scrape()["kubat_charges_total", "Osh bazaar"] == 1
