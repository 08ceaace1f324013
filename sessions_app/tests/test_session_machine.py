"""Whatever a station, a driver and the clock do, in whatever order, the books balance."""

import contextlib
import datetime as dt
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from billing.errors import Conflict, Invalid
from conftest import top_up
from sessions_app.models import ChargingSession, IdTag, Orphan
from sessions_app.reconcile import examine
from sessions_app.services import expire, orphans, review, stop
from sessions_app.tests.promises import check_books, check_sessions
from sessions_app.tests.stage import Stage


class Charges(RuleBasedStateMachine):
    """Alice's money, one station with two connectors, and every message in any order."""

    sessions = Bundle("sessions")
    transactions = Bundle("transactions")
    cast: dict

    def __init__(self):
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.alice, self.olga = self.cast["alice"], self.cast["olga"]
        self.stage = Stage(self.cast["station"])
        IdTag.objects.create(id_tag="CARD", identity="card", user=self.alice)

    def teardown(self):
        found = [row for row in examine(self.stage.now) if not row.code.endswith("_overdue")]
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)
        assert found == []

    @rule(
        target=sessions,
        kind=st.sampled_from(["amount", "energy", "full"]),
        value=st.integers(1, 700),
        connector_id=st.sampled_from([1, 2, None]),
    )
    def ask(self, kind, value, connector_id):
        try:
            wanted = None if kind == "full" else value
            return self.stage.ask(self.alice, kind, wanted, connector_id=connector_id).pk
        except Conflict:
            return None

    @rule(target=transactions, value=st.integers(1, 700), connector_id=st.sampled_from([1, 2]))
    def charge(self, value, connector_id):
        session = self.ask("amount", value, connector_id)
        self.carry_command("Accepted")
        return self.begin(session, connector_id)

    @rule(answer=st.sampled_from(["Accepted", "Rejected", None]))
    def carry_command(self, answer):
        command = self.stage.take_command()
        if command and answer:
            self.stage.answer(command, answer)

    @rule(target=transactions, session=sessions, connector_id=st.sampled_from([1, 2]))
    def begin(self, session, connector_id):
        tag = ChargingSession.objects.get(pk=session).id_tag if session else "NOBODY"
        return self.stage.begin(tag, connector_id=connector_id).transaction_id

    @rule(target=transactions, connector_id=st.sampled_from([1, 2]), hours=st.integers(0, 5))
    def begin_by_card(self, connector_id, hours):
        at = self.stage.now - dt.timedelta(hours=hours)
        return self.stage.begin("CARD", connector_id=connector_id, at=at).transaction_id

    @rule(number=transactions, energy_wh=st.integers(0, 30_000))
    def deliver(self, number, energy_wh):
        self.stage.deliver(number, energy_wh)

    @rule(number=transactions, register_wh=st.integers(0, 90_000))
    def sample_anything(self, number, register_wh):
        self.stage.sample(number, register_wh=register_wh)

    @rule(number=transactions, register_wh=st.none() | st.integers(0, 200_000))
    def end(self, number, register_wh):
        self.stage.end(number, register_wh=register_wh)

    @rule(session=sessions, who=st.sampled_from(["alice", "olga"]))
    def stop(self, session, who):
        if session:
            _allowed(lambda: stop.request_stop(session_id=session, actor=self.cast[who]))

    @rule(session=sessions, meter=st.integers(0, 100_000))
    def force_end(self, session, meter):
        if session:
            _allowed(
                lambda: stop.force_end(
                    session_id=session, meter_stop_wh=meter, actor=self.olga, reason="test"
                )
            )

    @rule(register_wh=st.integers(0, 90_000))
    def end_something_unknown(self, register_wh):
        self.stage.end(0, register_wh=register_wh)

    @rule(energy_wh=st.integers(0, 30_000))
    def deliver_to_something_unknown(self, energy_wh):
        self.stage.deliver(2**31 - 1, energy_wh)

    @rule(number=transactions, does_dismiss=st.booleans())
    def resolve_message(self, number, does_dismiss):
        orphan = Orphan.objects.filter(resolved_at=None).first()
        session = ChargingSession.objects.filter(transaction_id=number).first()
        decision = {"actor": self.olga, "reason": "test"}
        if orphan and does_dismiss:
            orphans.dismiss(orphan_id=orphan.pk, **decision)
        elif orphan and session:
            _allowed(lambda: review.assign(orphan_id=orphan.pk, session_id=session.pk, **decision))

    @rule(amount=st.none() | st.integers(0, 20_000))
    def settle_review(self, amount):
        session = ChargingSession.objects.filter(status="review").first()
        decision = {"actor": self.olga, "reason": "test"}
        if session and amount is None:
            review.release(session_id=session.pk, **decision)
        elif session:
            _allowed(lambda: review.settle_with(session_id=session.pk, amount=amount, **decision))

    @rule(seconds=st.sampled_from([1, 30, 200, 4_000]))
    def pass_time(self, seconds):
        self.stage.pass_time(seconds=seconds)
        expire.run_due(self.stage.now)

    @rule(back=st.booleans())
    def lose_connection(self, back):
        self.stage.disconnect()
        if back:
            self.stage.reconnect()

    @rule()
    def reconnect(self):
        self.stage.reconnect()

    @rule(power=st.sampled_from([None, 22]))
    def state_power(self, power):
        self.stage.station.max_power_kw = power and Decimal(power)
        self.stage.station.save(update_fields=["max_power_kw"])

    @rule(amount=st.integers(1, 50_000))
    def top_up(self, amount):
        top_up(self.alice, amount, key=f"more:{self.stage.now}:{amount}")

    @invariant()
    def books_balance(self):
        check_books()
        check_sessions()


def _allowed(act):
    """An operator may be told no, and then nothing has changed."""
    with contextlib.suppress(Conflict, Invalid):
        act()


@pytest.mark.django_db
def test_any_order_of_messages_keeps_the_promises(alice, olga, station):
    Charges.cast = {"alice": alice, "olga": olga, "station": station}
    run_state_machine_as_test(
        Charges,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
