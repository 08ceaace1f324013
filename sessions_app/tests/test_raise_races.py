"""A raise, a start, a stop and readings at once: threads with connections of their own."""

from decimal import Decimal
from functools import partial

import pytest

from billing import ledger
from billing.errors import InsufficientFunds, Invalid
from billing.models import Transfer
from conftest import top_up
from sessions_app.errors import SessionEnded, SessionStopping
from sessions_app.services.raise_limit import raise_limit
from sessions_app.tests.promises import check_books, check_sessions
from sessions_app.tests.stage import Stage
from sessions_app.tests.test_races import run_at_once
from stations.models import Connector, Station

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.on_postgres]


@pytest.fixture
def stages(station):
    """Six stations with one connector each."""
    rows = [Station(station_id=f"R-{n}", identity=f"r-{n}") for n in range(6)]
    Station.objects.bulk_create(rows)
    Connector.objects.bulk_create(
        Connector(station=row, connector_id=1, status="Available") for row in rows
    )
    return [Stage(row) for row in rows]


def raised(session, by, value):
    """Raise; the code of the refusal, or empty."""
    try:
        raise_limit(session_id=session.pk, actor=by, limit_value=Decimal(value))
    except (InsufficientFunds, SessionStopping, SessionEnded) as error:
        return error.code
    return ""


def test_the_money_of_a_hold_that_is_replaced_is_never_there_for_a_start(stages, bob):
    """Bob has 500.00 and all of it is spoken for: one hold of 300.00 and a free 200.00.

    A raise to 500.00 needs the rest, and each start needs 200.00: one of them gets it. In no order
    does a start get at the 300.00 that the old hold frees for the new one.
    """
    top_up(bob, 50_000)
    session = stages[0].charge(bob, "amount", "300")
    outcomes = run_at_once(
        lambda: raised(session, bob, 500),
        *(lambda s=stage: s.ask(bob, "amount", "200").error_code for stage in stages[1:]),
    )
    assert sorted(outcomes).count("") == 1
    assert outcomes.count("insufficient_funds") == 5
    account = ledger.account_of(bob)
    assert (account.balance_minor, account.held_minor) == (50_000, 50_000)
    check_books()
    check_sessions()


def test_starts_that_want_what_the_old_hold_had_get_nothing(stages, bob):
    """All money is on hold; while the hold is replaced, five starts try to get at it."""
    top_up(bob, 50_000)
    session = stages[0].charge(bob, "soc", "50")
    outcomes = run_at_once(
        lambda: raised(session, bob, 80),
        *(lambda s=stage: s.ask(bob, "amount", "10").error_code for stage in stages[1:]),
    )
    assert outcomes[0] == ""
    assert outcomes[1:] == ["insufficient_funds"] * 5
    check_books()
    check_sessions()


def test_two_raises_at_once_leave_one_hold_of_the_higher(stage, alice):
    session = stage.charge(alice, "amount", "100")
    run_at_once(*(lambda v=value: _tried(session, alice, v) for value in (200, 300, 400, 300)))
    session.refresh_from_db()
    assert (session.limit_value, session.hold_minor) == (400, 40_000)
    pending = Transfer.objects.pending().filter(reference=session.reference)
    assert [row.amount_minor for row in pending] == [40_000]
    check_books()
    check_sessions()


def _tried(session, by, value):
    try:
        return raised(session, by, value)
    except Invalid:  # a higher one was first
        return "invalid"


def test_two_sessions_of_a_driver_that_rise_at_once_share_what_is_there(stages, bob):
    top_up(bob, 50_000)
    sessions = [stage.charge(bob, "amount", "100") for stage in stages[:4]]
    outcomes = run_at_once(*(lambda s=session: raised(s, bob, 180) for session in sessions))
    assert sorted(outcomes) == [
        "",
        "insufficient_funds",
        "insufficient_funds",
        "insufficient_funds",
    ]
    assert ledger.account_of(bob).held_minor == 48_000
    check_books()
    check_sessions()


def test_a_raise_and_the_stop_at_the_old_limit_meet_and_one_of_them_wins(stages, alice):
    for stage in stages:
        session = stage.charge(alice, "energy", "5")
        stage.deliver(session.transaction_id, 4_000)

        def reach(stage=stage, session=session):
            stage.deliver(session.transaction_id, 1_000)
            return ""

        outcome, _ = run_at_once(lambda s=session: raised(s, alice, 6), reach)
        session.refresh_from_db()
        if outcome:
            assert (outcome, session.status) == ("session_stopping", "stopping")
            assert session.hold_minor == 6_250
        else:
            assert (session.status, session.hold_minor) == ("charging", 7_500)
        stage.end(session.transaction_id)
    check_books()
    check_sessions()


def test_raises_and_the_end_at_once_neither_deadlock_nor_leave_a_hold(stage, alice):
    for number in range(5):
        session = stage.charge(alice, "amount", "100")
        stage.deliver(session.transaction_id, 1_000)
        run_at_once(
            partial(stage.end, session.transaction_id), *[partial(raised, session, alice, 150)] * 3
        )
        session.refresh_from_db()
        assert session.status == "completed", number
        assert ledger.account_of(alice).held_minor == 0
    check_books()
    check_sessions()
