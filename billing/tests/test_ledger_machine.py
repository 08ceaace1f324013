"""Whatever is done to the books in whatever order, they balance (P1, P2)."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from billing import ledger
from billing.errors import HoldResolved, InsufficientFunds
from billing.ledger import Kind
from billing.models import Account, Transfer, User
from billing.money import Minor

AMOUNTS = st.integers(1, 1_000)
DRIVERS = st.sampled_from(["anna", "ben"])


class Books(RuleBasedStateMachine):
    """A model in plain dictionaries beside the real ledger, compared after each step."""

    pending = Bundle("pending")
    resolved = Bundle("resolved")
    moves = Bundle("moves")

    @initialize()
    def open_accounts(self):
        self.example = transaction.atomic()
        self.example.__enter__()
        self.count = 0
        self.balance = {"anna": 0, "ben": 0}
        self.held = {"anna": 0, "ben": 0}
        self.users = {name: User.objects.create_user(name) for name in self.balance}
        self.accounts = {name: ledger.account_of(user) for name, user in self.users.items()}

    def teardown(self):
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    def next_key(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}:{self.count}"

    def post(self, key: str, driver: str, amount: int, *, is_in: bool) -> Transfer:
        ends = [ledger.house(Kind.FUNDING), self.accounts[driver]]
        debit, credit = ends if is_in else reversed(ends)
        return ledger.post(
            key=key, code=Transfer.Code.TOPUP, debit=debit, credit=credit, amount=Minor(amount)
        )

    def hold(self, key: str, driver: str, amount: int) -> Transfer:
        return ledger.hold(
            key=key, account=self.accounts[driver], amount=Minor(amount), reference=key
        )

    @rule(target=moves, driver=DRIVERS, amount=AMOUNTS)
    def pay_in(self, driver, amount):
        key = self.next_key("in")
        self.post(key, driver, amount, is_in=True)
        self.balance[driver] += amount
        return key, driver, amount

    @rule(driver=DRIVERS, amount=AMOUNTS)
    def take_out(self, driver, amount):
        key = self.next_key("out")
        if amount <= self.balance[driver] - self.held[driver]:
            self.post(key, driver, amount, is_in=False)
            self.balance[driver] -= amount
        else:
            with pytest.raises(InsufficientFunds):
                self.post(key, driver, amount, is_in=False)

    @rule(target=pending, driver=DRIVERS, amount=AMOUNTS)
    def set_aside(self, driver, amount):
        key = self.next_key("hold")
        if amount > self.balance[driver] - self.held[driver]:
            with pytest.raises(InsufficientFunds):
                self.hold(key, driver, amount)
            return None
        self.held[driver] += amount
        return self.hold(key, driver, amount), driver

    @rule(target=resolved, hold=consumes(pending), part=st.integers(0, 100))
    def capture(self, hold, part):
        if hold is None:
            return None
        row, driver = hold
        amount = row.amount_minor * part // 100
        ledger.capture(row, Minor(amount))
        self.held[driver] -= row.amount_minor
        self.balance[driver] -= amount
        return row, amount

    @rule(target=resolved, hold=consumes(pending))
    def give_back(self, hold):
        if hold is None:
            return None
        row, driver = hold
        ledger.void(row)
        self.held[driver] -= row.amount_minor
        return row, 0

    @rule(move=moves)
    def repeat_a_payment(self, move):
        key, driver, amount = move
        self.post(key, driver, amount, is_in=True)

    @rule(hold=pending)
    def repeat_a_hold(self, hold):
        if hold:
            row, driver = hold
            assert self.hold(row.key, driver, row.amount_minor) == row

    @rule(outcome=resolved, other=AMOUNTS)
    def resolve_again(self, outcome, other):
        if outcome is None:
            return
        row, amount = outcome
        ledger.capture(row, Minor(amount))
        if amount != other <= row.amount_minor:
            with pytest.raises(HoldResolved):
                ledger.capture(row, Minor(other))

    @invariant()
    def books_are_what_was_done(self):
        for name, account in getattr(self, "accounts", {}).items():
            account.refresh_from_db()
            assert account.balance_minor == self.balance[name]
            assert account.held_minor == self.held[name]
            assert 0 <= account.held_minor <= account.balance_minor

    @invariant()
    def balances_derive_from_transfers(self):
        rows = list(Transfer.objects.select_related("resolves"))
        accounts = list(Account.objects.all())
        for account in accounts:
            mine = [row for row in rows if account.pk in (row.debit_id, row.credit_id)]
            assert account.balance_minor == sum(row.balance_change(account) for row in mine)
            assert account.held_minor == sum(row.held_change(account) for row in mine)
        assert sum(account.balance_minor for account in accounts) == 0

    @invariant()
    def held_is_what_is_unresolved(self):
        for account in Account.objects.filter(kind=Kind.CUSTOMER):
            unresolved = Transfer.objects.pending().filter(debit=account)
            assert account.held_minor == sum(row.amount_minor for row in unresolved)


def test_books_balance_whatever_is_done(db):
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
