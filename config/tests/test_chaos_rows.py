"""Rows that the product itself wrote are read as they are, and a defect in them is found."""

import dataclasses

import pytest

from billing.models import Account, Transfer
from config.chaos import rows
from config.chaos.checks import find
from config.chaos.evidence import Evidence, Wallet, Witness
from sessions_app.models import ChargingSession, Reading
from sessions_app.tests.stage import Stage
from stations.models import Station


@pytest.fixture
def charge(alice, station):
    """A charge past its hold, settled; the station stays online."""
    stage = Stage(station)
    session = stage.charge(alice, value="50")
    for _ in range(3):
        stage.deliver(session.transaction_id, 1500)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    return session


def evidence(charge):
    """What the rows say, beside a witness who says the same."""
    stored = rows.load("default")
    wallet = Wallet(str(charge.user_id), 100_000, 95_000, 0)
    fences = {row.station_id: row.fence for row in stored.stations}
    return Evidence(stored, Witness(wallets=(wallet,), admitted=fences, dialled=fences))


def found(charge):
    codes = {finding.code for finding in find(evidence(charge))}
    return codes - {"charge_invented", "start_repeated"}  # nobody saw it from outside here


def test_a_settled_charge_is_clean(charge):
    assert (charge.status, charge.cost_minor, charge.energy_wh) == ("completed", 5_000, 4_500)
    assert found(charge) == set()


def test_a_capture_above_its_hold_is_found(charge):
    Transfer.objects.filter(kind="captured").update(amount_minor=5_001)
    assert {"capture_above_hold", "taken_past_hold", "balance_wrong"} <= found(charge)


def test_a_hold_that_was_left_is_found(charge):
    Transfer.objects.filter(kind="captured").delete()
    assert "holds_wrong" in found(charge)


def test_a_balance_that_was_changed_is_found(charge):
    Account.objects.filter(kind="sales").update(balance_minor=1)
    assert {"balance_wrong", "unbalanced"} <= found(charge)


def test_a_bill_that_was_changed_is_found(charge):
    ChargingSession.objects.update(bill=charge.bill | {"total": "50.00"})
    assert "bill_wrong" in found(charge)


def test_an_open_session_is_found(alice, station):
    session = Stage(station).charge(alice, value="50")
    stored = rows.load("default")
    assert {row.status for row in stored.sessions} == {"charging"}
    assert "session_open" in {row.code for row in find(Evidence(stored, Witness()))}
    assert any(str(session.pk) in word for word in rows.unfinished("default"))


def test_readings_are_those_of_the_session(charge):
    stored = rows.load("default")
    assert len(stored.readings) == Reading.objects.count()
    assert {row.session_id for row in stored.readings} == {str(charge.pk)}
    assert all(dataclasses.astuple(row) for row in stored.events)


def test_a_station_that_is_away_is_found(charge):
    Station.objects.update(owner=None)
    assert "offline" in found(charge)
