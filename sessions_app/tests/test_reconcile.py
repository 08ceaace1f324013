"""reconcile: clean after every kind of charge; each broken promise is found, named, maybe fixed.

The rows are broken as no use case would: by writing them directly.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, fields

import pytest
from django.db.models import F
from django.utils import timezone

from billing import ledger
from billing.models import Account, Payment, Receipt, ReceiptCounter, Tariff, Transfer
from sessions_app import tags
from sessions_app.models import ChargingSession, SessionEvent
from sessions_app.reconcile import examine, repair
from sessions_app.services import expire
from sessions_app.tests.stage import Stage
from stations import commands
from stations.models import Alert, Command

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
Kind, Code = Account.Kind, Transfer.Code


@dataclass
class Played:
    """One session of each kind, by what became of it."""

    paid: ChargingSession
    overshot: ChargingSession
    corrected: ChargingSession
    cancelled: ChargingSession
    failed: ChargingSession
    refused: ChargingSession
    review: ChargingSession
    running: ChargingSession
    requested: ChargingSession

    def row(self, name):
        return ChargingSession.objects.filter(pk=getattr(self, name).pk)

    def transfers(self, name, **which):
        return Transfer.objects.filter(reference=getattr(self, name).reference, **which)


@pytest.fixture
def played(stage, alice, bob, olga):
    """Every kind of charge, through the use cases, at 12.50 a kWh with 12 % tax in it."""
    Tariff.objects.update(vat_percent=12)
    paid = _charge(stage, alice, "100", 4_321)
    overshot = _charge(stage, alice, "50", 4_567)
    failed = stage.ask(alice, "amount", "10")
    stage.stop(failed, alice)
    return Played(
        paid=paid,
        overshot=overshot,
        corrected=_correct(stage, alice, olga),
        cancelled=_cancel(stage, alice),
        failed=failed,
        refused=stage.ask(bob, "full"),
        review=_doubt(stage, alice),
        running=_run(stage, alice),
        requested=stage.ask(alice, "full", connector_id=2, max_amount="10"),
    )


def _charge(stage: Stage, driver, amount, energy_wh):
    session = stage.charge(driver, "amount", amount)
    stage.deliver(session.transaction_id, energy_wh)
    stage.end(session.transaction_id)
    return session


def _correct(stage: Stage, driver, staff):
    """A start by the operator's tag ends it on its last reading; then its own stop comes."""
    session = stage.charge(driver, "amount", "100")
    stage.deliver(session.transaction_id, 1_000)
    tags.add_tag({"id_tag": "OPERATOR"}, actor=staff)
    other = stage.begin("OPERATOR")
    stage.deliver(other.transaction_id, 700)
    stage.end(other.transaction_id)
    stage.end(session.transaction_id, register_wh=stage.register_wh)
    return session


def _cancel(stage: Stage, driver):
    """A start that was cancelled after the station accepted it, and never began."""
    session = stage.ask(driver, "amount", "20")
    stage.accept_start()
    stage.stop(session, driver)
    expire.run_due(timezone.now() + HOUR)
    return session


def _doubt(stage: Stage, driver):
    """A meter that ran backwards."""
    session = stage.charge(driver, "amount", "200")
    stage.deliver(session.transaction_id, 5_000)
    stage.deliver(session.transaction_id, -3_000)
    stage.pass_time(seconds=1)
    stage.end(session.transaction_id)
    return session


def _run(stage: Stage, driver):
    session = stage.charge(driver, "time", "60", max_amount="150")
    stage.deliver(session.transaction_id, 1_111)
    return session


def find():
    return examine(timezone.now())


def codes(findings):
    return {finding.code for finding in findings}


def test_the_history_has_every_kind_of_charge(played):
    assert {row.name: played.row(row.name).get().status for row in fields(Played)} == {
        "paid": "completed",
        "overshot": "completed",
        "corrected": "completed",
        "cancelled": "completed",
        "failed": "error",
        "refused": "error",
        "review": "review",
        "running": "charging",
        "requested": "requested",
    }
    used = set(Transfer.objects.values_list("code", flat=True))
    assert used == {Code.TOPUP, Code.CHARGE, Code.TAX, Code.LOSS, Code.CORRECTION}


def test_a_clean_history_has_no_findings(played):
    assert find() == []


# --- Fixed ------------------------------------------------------------------------------------


def alter_balance(played, alice):
    Account.objects.filter(owner=alice).update(balance_minor=F("balance_minor") + 1)
    return {"balance_wrong", "books_unbalanced"}


def alter_held(played, alice):
    Account.objects.filter(owner=alice).update(held_minor=F("held_minor") + 1)
    return {"held_wrong"}


def leave_hold(played, alice):
    voided = played.transfers("cancelled", kind="voided").get()
    Account.objects.filter(owner=alice).update(held_minor=F("held_minor") + voided.amount_minor)
    voided.delete()
    return {"hold_left"}


def leave_session_overdue(played, alice):
    played.row("running").update(due_at=timezone.now() - HOUR)
    return {"session_overdue"}


def leave_command_unsent(played, alice):
    old = timezone.now() - HOUR
    Command.objects.filter(status="queued").update(deadline_at=old)
    return {"command_overdue"}


def leave_command_unanswered(played, alice):
    old = timezone.now() - HOUR
    Command.objects.filter(status="queued").update(status="sent", sent_at=old)
    return {"command_overdue"}


@pytest.mark.parametrize(
    "damage",
    [
        alter_balance,
        alter_held,
        leave_hold,
        leave_session_overdue,
        leave_command_unsent,
        leave_command_unanswered,
    ],
)
def test_what_is_safe_is_found_and_fixed(played, alice, damage):
    expected = damage(played, alice)
    findings = find()
    assert codes(findings) == expected
    assert find() == findings, "looking changes nothing"
    assert repair(findings)
    assert find() == []


def test_a_rebuilt_account_leaves_an_alert_with_both_values(played, alice):
    before = ledger.account_of(alice).balance_minor
    alter_balance(played, alice)
    repair(find())
    alert = Alert.objects.get(kind="account_rebuilt")
    assert alert.detail["column"] == "balance_minor"
    assert (alert.detail["before"], alert.detail["after"]) == (before + 1, before)
    assert ledger.account_of(alice).balance_minor == before


def test_fixing_one_figure_leaves_the_other_to_people(played, alice):
    """A transfer was altered, too: the balance that it explains must not follow it."""
    balance = ledger.account_of(alice).balance_minor
    expected = alter_held(played, alice) | alter_topup(played, alice)
    findings = find()
    assert codes(findings) == expected
    assert codes(repair(findings)) == {"held_wrong"}
    assert codes(find()) == expected - {"held_wrong"}
    assert ledger.account_of(alice).balance_minor == balance


def test_a_balance_below_what_is_held_is_not_rebuilt(alice):
    """Half of the money is gone from the books and the rest is held: the database would refuse."""
    ledger.hold(key="h", account=ledger.account_of(alice), amount=90_000, reference="session:x")
    Transfer.objects.filter(code=Code.TOPUP).update(amount_minor=50_000)
    Account.objects.filter(kind=Kind.FUNDING).update(balance_minor=-50_000)
    findings = find()
    wrong = next(row for row in findings if row.code == "balance_wrong")
    assert wrong.fix
    repair(findings)
    assert find() == findings


def test_a_fix_looks_again_before_it_changes_anything(played, alice):
    """What was found may have been put right between the look and the fix."""
    account = Account.objects.filter(owner=alice)
    account.update(balance_minor=F("balance_minor") + 1)
    findings = find()
    account.update(balance_minor=F("balance_minor") - 1)
    repair(findings)
    assert not Alert.objects.filter(kind="account_rebuilt").exists()
    assert find() == []


def test_a_missing_receipt_is_issued_late(played):
    """As after an upgrade from a release that issued none."""
    for kind in ("correction", "receipt"):
        Receipt.objects.filter(kind=kind).delete()
    ReceiptCounter.objects.all().delete()
    assert codes(find()) == {"receipt_missing"}
    repair(find())
    assert find() == []
    issued = Receipt.objects.order_by("number").values_list("number", flat=True)
    assert list(issued) == [1, 2, 3]
    assert Receipt.objects.of(played.corrected.reference).get().paid_minor == (
        played.row("corrected").get().cost_minor
    )


# --- Found, and left to people ------------------------------------------------------------------


def alter_topup(played, alice):
    Transfer.objects.filter(code=Code.TOPUP).update(amount_minor=F("amount_minor") + 1)
    return {"balance_wrong", "topup_not_credited"}


def lose_hold(played, alice):
    played.transfers("running", kind="pending").delete()
    return {"held_wrong", "hold_count_wrong"}


def hold_twice(played, alice):
    account = ledger.account_of(alice)
    ledger.hold(key="again", account=account, amount=100, reference=played.running.reference)
    return {"hold_count_wrong", "hold_amount_wrong"}


def hold_in_review_twice(played, alice):
    account = ledger.account_of(alice)
    amount = played.row("review").get().hold_minor
    ledger.hold(key="again", account=account, amount=amount, reference=played.review.reference)
    return {"hold_count_wrong"}


def hold_another_amount(played, alice):
    played.row("running").update(hold_minor=F("hold_minor") + 1)
    return {"hold_amount_wrong"}


def hold_from_another(played, alice):
    other = ledger.house(Kind.FUNDING)
    pending = played.transfers("running", kind="pending")
    Account.objects.filter(owner=alice).update(
        held_minor=F("held_minor") - pending.get().amount_minor
    )
    Account.objects.filter(pk=other.pk).update(held_minor=pending.get().amount_minor)
    pending.update(debit=other)
    return {"hold_of_another"}


def spend_what_was_not_paid_in(played, alice):
    played.transfers("running", kind="pending").update(amount_minor=10_000_000)
    return {"customer_overdrawn", "held_wrong", "hold_amount_wrong"}


def capture_past_the_hold(played, alice):
    played.transfers("paid", kind="captured").update(amount_minor=F("amount_minor") + 10_000)
    return {"balance_wrong", "resolution_wrong", "taken_past_hold", "paid_wrong"}


def lose_capture(played, alice):
    played.transfers("paid", kind="captured").delete()
    return {"balance_wrong", "held_wrong", "hold_left", "paid_wrong"}


def resolve_with_another(played, alice):
    played.transfers("failed", kind="voided").update(amount_minor=1)
    return {"resolution_wrong"}


def adjust_without_reason(played, alice):
    ledger.post(
        key="gift",
        code=Code.ADJUSTMENT,
        debit=ledger.house(Kind.ADJUSTMENT),
        credit=ledger.account_of(alice),
        amount=1,
    )
    return {"adjustment_unexplained"}


def hold_for_nothing(played, alice):
    account = ledger.account_of(alice)
    ledger.hold(key="lone", account=account, amount=1, reference=f"session:{uuid.uuid4()}")
    return {"hold_of_unknown_session"}


def move_for_nothing(played, alice):
    _book_loss("session:7")
    return {"transfer_of_unknown_session"}


def alter_cost(played, alice):
    played.row("paid").update(cost_minor=F("cost_minor") - 1)
    return {"paid_wrong", "loss_wrong", "receipt_wrong"}


def charge_what_failed(played, alice):
    ledger.post(
        key="grab",
        code=Code.CORRECTION,
        debit=ledger.account_of(alice),
        credit=ledger.house(Kind.SALES),
        amount=1,
        reference=played.failed.reference,
    )
    return {"paid_wrong"}


def book_loss_while_running(played, alice):
    _book_loss(played.running.reference)
    return {"booked_early"}


def book_loss_without_bill(played, alice):
    _book_loss(played.cancelled.reference)
    return {"booked_without_bill"}


def _book_loss(reference):
    ledger.post(
        key="loss",
        code=Code.LOSS,
        debit=ledger.house(Kind.LOSS),
        credit=ledger.house(Kind.SALES),
        amount=1,
        reference=reference,
    )


def lose_bill(played, alice):
    played.row("paid").update(bill=None)
    return {"bill_missing"}


def damage_bill(played, alice):
    played.row("paid").update(bill={"currency": "KGS", "lines": [], "total": "0.00"})
    return {"bill_unreadable"}


def alter_bill(played, alice):
    session = played.row("overshot").get()
    played.row("overshot").update(bill=session.bill | {"total": "1.00"})
    return {"bill_wrong"}


def alter_tariff(played, alice):
    """P9 broken for all that was sold at it: the books show the old price."""
    Tariff.objects.update(price_per_kwh=F("price_per_kwh") + 1)
    return {"bill_wrong", "loss_wrong"}


def alter_energy(played, alice):
    played.row("paid").update(energy_wh=F("energy_wh") + 1)
    return {"bill_energy_wrong"}


def lose_loss(played, alice):
    played.transfers("overshot", code=Code.LOSS).update(reference=played.paid.reference)
    return {"loss_wrong"}


def lose_tax(played, alice):
    played.transfers("paid", code=Code.TAX).update(reference=played.overshot.reference)
    return {"tax_wrong"}


def alter_state(played, alice):
    played.row("failed").update(status="completed", bill=None)
    return {"history_wrong"}


def lose_event(played, alice):
    SessionEvent.objects.filter(session=played.paid, to_status="charging").delete()
    return {"history_wrong"}


def forget_deadline(played, alice):
    played.row("running").update(due_at=None)
    return {"session_without_deadline"}


def credit_unpaid(played, alice):
    Payment.objects.update(status="failed")
    return {"credited_without_topup"}


def credit_from_nowhere(played, alice):
    Transfer.objects.filter(code=Code.TOPUP).update(reference="")
    return {"credited_without_topup", "topup_not_credited"}


def credit_another(played, alice):
    Payment.objects.update(user=played.refused.user)
    return {"topup_not_credited"}


def leave_topup_pending(played, alice):
    payment = Payment.objects.create(user=alice, provider="x", amount_minor=1, currency="KGS")
    Payment.objects.filter(pk=payment.pk).update(created_at=timezone.now() - 48 * HOUR)
    return {"topup_overdue"}


def alter_receipt(played, alice):
    """One that was issued says something else now."""
    receipt = Receipt.objects.of(played.paid.reference).get()
    receipt.snapshot["paid"] = "1.00"
    receipt.save()
    return {"receipt_altered"}


def alter_correction(played, alice):
    correction = Receipt.objects.get(kind="correction")
    correction.difference_minor += 1
    correction.save()
    return {"receipt_wrong", "receipt_altered"}


def lose_correction(played, alice):
    Receipt.objects.get(kind="correction").delete()
    return {"receipt_wrong", "receipt_number_missing"}


def document_another(played, alice):
    other = played.row("refused").get().user
    Receipt.objects.of(played.paid.reference).update(user=other)
    return {"receipt_of_another"}


def document_nothing(played, alice):
    receipt = Receipt.objects.of(played.paid.reference).get()
    receipt.pk, receipt.reference, receipt.number = None, "session:7", 5
    receipt.snapshot["number"] = 5
    receipt.save(force_insert=True)
    ReceiptCounter.objects.update(last=5)
    return {"receipt_of_unknown_session"}


def leave_a_gap(played, alice):
    ReceiptCounter.objects.update(last=F("last") + 1)
    return {"receipt_number_missing"}


def turn_the_counter_back(played, alice):
    ReceiptCounter.objects.update(last=1)
    return {"receipt_counter_wrong"}


@pytest.mark.parametrize(
    "damage",
    [
        alter_receipt,
        alter_correction,
        lose_correction,
        document_another,
        document_nothing,
        leave_a_gap,
        turn_the_counter_back,
        alter_topup,
        lose_hold,
        hold_twice,
        hold_in_review_twice,
        hold_another_amount,
        hold_from_another,
        spend_what_was_not_paid_in,
        capture_past_the_hold,
        lose_capture,
        resolve_with_another,
        adjust_without_reason,
        hold_for_nothing,
        move_for_nothing,
        alter_cost,
        charge_what_failed,
        book_loss_while_running,
        book_loss_without_bill,
        lose_bill,
        damage_bill,
        alter_bill,
        alter_tariff,
        alter_energy,
        lose_loss,
        lose_tax,
        alter_state,
        lose_event,
        forget_deadline,
        credit_unpaid,
        credit_from_nowhere,
        credit_another,
        leave_topup_pending,
    ],
)
def test_what_needs_a_person_is_found_and_left(played, alice, damage):
    expected = damage(played, alice)
    findings = find()
    assert codes(findings) == expected
    assert repair(findings) == []
    assert find() == findings


def test_what_is_in_flight_is_no_finding(played, alice):
    """The worker has a minute: a row that fell due just now is not overdue."""
    just_now = timezone.now() - dt.timedelta(seconds=5)
    played.row("running").update(due_at=just_now)
    Command.objects.filter(status="queued").update(deadline_at=just_now)
    payment = Payment.objects.create(user=alice, provider="x", amount_minor=1, currency="KGS")
    assert payment.status == "pending"
    assert find() == []


def test_a_finding_says_what_was_expected_and_what_is_there(played, alice):
    lose_capture(played, alice)
    (found,) = [row for row in find() if row.code == "paid_wrong"]
    assert found.subject == f"session {played.paid.pk}"
    assert (found.expected, found.found) == ("54.01", "0.00")
    assert found.to_json()["fixable"] is False
    assert "paid_wrong" in str(found)
    assert "54.01" in str(found)


def test_a_repeated_command_fix_is_harmless(played):
    """Several findings share one way to catch up."""
    assert commands.overdue(timezone.now()) == []
    leave_session_overdue(played, None)
    leave_command_unsent(played, None)
    findings = find()
    assert len(repair(findings)) == 2
    assert find() == []
