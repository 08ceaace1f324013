"""Whatever is paid in, spent, returned and charged back in whatever order, the books say so."""

import uuid

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing import ledger, outbox
from billing.blocking import unblock
from billing.errors import KubatError
from billing.ledger import Kind
from billing.models import Account, Payment, PaymentReturn, SandboxPayment, User
from billing.money import Minor
from billing.payments import returns
from billing.payments.provider import Report, State
from billing.payments.topups import request_top_up
from billing.payments.verdicts import decide

AMOUNTS = st.integers(1, 1_000)


class Payments(RuleBasedStateMachine):
    """A model of a few sums beside the real use cases, compared after each step."""

    payments = Bundle("payments")

    @initialize()
    def open_accounts(self):
        self.example = transaction.atomic()
        self.example.__enter__()
        self.olga = User.objects.create_user("olga", is_staff=True)
        self.ben = User.objects.create_user("ben")
        self.paid_in = self.fees = self.spent = self.paid_out = 0

    def teardown(self):
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    @property
    def account(self):
        return ledger.account_of(self.ben)

    def attempt(self, act, **values):
        """Do it, or be refused as a caller would be; return whether it was done."""
        try:
            with transaction.atomic():
                act(**values)
        except KubatError:
            return False
        return True

    @rule(target=payments, amount=AMOUNTS)
    def ask(self, amount):
        row = request_top_up(
            user=self.ben, amount=Minor(amount), provider="sandbox", made_by=self.ben
        )
        SandboxPayment.objects.create(payment=row, amount_minor=amount, state="paid")
        return row.pk

    @rule(payment=payments, fee=st.integers(0, 50), off_by=st.sampled_from([0, 0, 0, 1]))
    def report_paid(self, payment, fee, off_by):
        row = Payment.objects.get(pk=payment)
        amount = Minor(row.amount_minor + off_by)
        outcome = decide(payment, Report(State.PAID, amount, "KGS", fee=Minor(fee)))
        if row.paid_at is None and outcome == "credited":
            assert off_by == 0
            self.paid_in += row.amount_minor
            self.fees += fee

    @rule(payment=payments, state=st.sampled_from([State.PENDING, State.FAILED]))
    def report_otherwise(self, payment, state):
        decide(payment, Report(state))

    @rule(amount=AMOUNTS)
    def spend(self, amount):
        key = str(uuid.uuid4())
        account, amount = self.account, Minor(amount)
        if self.attempt(ledger.hold, key=key, account=account, amount=amount, reference=key):
            ledger.capture(ledger.pending_hold(key), amount)
            self.spent += amount

    @rule(amount=AMOUNTS)
    def hold(self, amount):
        key = str(uuid.uuid4())
        account = self.account
        self.attempt(ledger.hold, key=key, account=account, amount=Minor(amount), reference=key)

    @rule(payment=payments, amount=AMOUNTS)
    def refund(self, payment, amount):
        self.attempt(
            returns.request_refund,
            payment_id=payment,
            amount=Minor(amount),
            reason="r",
            made_by=self.olga,
        )

    @precondition(lambda self: PaymentReturn.objects.filter(status="pending").exists())
    @rule(is_refused=st.booleans())
    def deliver(self, is_refused):
        state = "failed" if is_refused else "paid"
        SandboxPayment.objects.update(state=state)
        outbox.deliver_due({returns.TOPIC: returns.send_refund})
        SandboxPayment.objects.update(state="paid")
        assert not PaymentReturn.objects.filter(status="pending").exists()

    @rule(payment=payments)
    def charge_back(self, payment):
        self.attempt(returns.record_chargeback, payment_id=payment, reason="r", made_by=self.olga)
        unblock(user=self.ben, by=self.olga)

    @rule(amount=AMOUNTS)
    def pay_out(self, amount):
        self.paid_out += amount * self.attempt(
            returns.pay_out, user=self.ben, amount=Minor(amount), reason="r", made_by=self.olga
        )

    @invariant()
    def every_account_says_what_happened(self):
        rows = PaymentReturn.objects.exclude(status="failed")
        returned = sum(row.amount_minor for row in rows)
        loss = sum(row.loss_minor for row in rows)
        assert self.account.balance_minor == (
            self.paid_in - self.spent - self.paid_out - (returned - loss)
        )
        assert self.account.balance_minor >= self.account.held_minor >= 0
        house = {row.kind: row.balance_minor for row in Account.objects.filter(owner=None)}
        assert house.get(Kind.FUNDING, 0) == (self.fees + returned + self.paid_out - self.paid_in)
        assert house.get(Kind.FEES, 0) == -self.fees
        assert house.get(Kind.LOSS, 0) == -loss
        assert sum(house.values()) + self.account.balance_minor == 0

    @invariant()
    def no_payment_returns_more_than_it_brought(self):
        for row in Payment.objects.filter(paid_at__isnull=False):
            assert returns.left_of(row) >= 0
            done = row.returns.filter(status="done")
            all_returned = sum(one.amount_minor for one in done) == row.amount_minor
            assert (row.status == "refunded") == all_returned


@pytest.mark.django_db
def test_payments_and_books_agree_after_any_history(settings_on):
    run_state_machine_as_test(
        Payments,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def settings_on(settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
