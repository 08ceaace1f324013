"""Each check of chaos finds the defect that it is for, planted in a copy of clean evidence."""

import dataclasses
import datetime as dt
import re

import pytest
from django.conf import settings

from config.chaos.account import tell
from config.chaos.checks import find
from config.chaos.evidence import AccountRow, CommandRow, OrphanRow, Presence, ReadingRow
from config.chaos.town import Wish
from config.tests import chaos_case as case


def in_rows(evidence, **changes):
    return dataclasses.replace(evidence, rows=dataclasses.replace(evidence.rows, **changes))


def in_seen(evidence, **changes):
    return dataclasses.replace(evidence, seen=dataclasses.replace(evidence.seen, **changes))


def with_session(**changes):
    return lambda evidence: in_rows(evidence, sessions=(case.session(**changes),))


def with_transfer(name, **changes):
    """Change one transfer, or add another like it where its key changes."""

    def plant(evidence):
        rows = {row.key: row for row in evidence.rows.transfers}
        changed = dataclasses.replace(rows[name], **changes)
        return in_rows(evidence, transfers=tuple((rows | {changed.key: changed}).values()))

    return plant


def without_transfer(key):
    return lambda evidence: in_rows(
        evidence, transfers=tuple(row for row in evidence.rows.transfers if row.key != key)
    )


def with_rows(**changes):
    return lambda evidence: in_rows(evidence, **changes)


def with_seen(**changes):
    return lambda evidence: in_seen(evidence, **changes)


def with_charge(**changes):
    return lambda evidence: in_seen(
        evidence, charges=(dataclasses.replace(evidence.seen.charges[0], **changes),)
    )


def with_exchange(*exchanges):
    return lambda evidence: in_seen(evidence, exchanges=(*evidence.seen.exchanges, *exchanges))


def with_bill(**changes):
    return with_session(bill=case.bill() | changes)


LATER = case.START + dt.timedelta(seconds=9)
SECOND = case.session(id=case.OTHER_SESSION, transaction_id=8, status="error", bill=None)
DEFECTS = {
    "taken_past_hold": with_session(cost_minor=case.COST + 1),
    "capture_above_hold": with_transfer("capture", amount_minor=case.HOLD + 1),
    "holds_wrong": without_transfer("capture"),
    "session_missing": with_transfer("loss", reference=f"session:{case.OTHER_SESSION}"),
    "balance_wrong": without_transfer("topup"),
    "overdrawn": with_rows(
        accounts=(AccountRow(case.CUSTOMER_ACCOUNT, case.ALICE, "customer", -1, 0),)
    ),
    "unbalanced": with_rows(accounts=(AccountRow(9, "", "fees", 1, 0),)),
    "transfer_repeated": with_transfer("capture", key="again", id="again"),
    "paid_by_another": with_transfer("capture", payer=case.BOB),
    "wallet_wrong": with_seen(wallets=(case.Wallet(case.ALICE, 10_000, 7_499, 0),)),
    "bill_missing": with_session(bill=None),
    "bill_wrong": with_bill(total="26.24"),
    "bill_energy_wrong": with_session(energy_wh=case.ENERGY_WH + 1),
    "cost_wrong": with_session(cost_minor=case.COST - 1),
    "loss_wrong": without_transfer("loss"),
    "session_open": with_session(status="charging"),
    "no_rest": with_seen(unrest=("C-1 owes messages",)),
    "charge_not_told": with_charge(is_told=False),
    "charge_lost": with_rows(sessions=()),
    "charge_invented": with_seen(charges=()),
    "start_repeated": with_rows(sessions=(case.session(), SECOND)),
    "energy_wrong": with_charge(meter_stop_wh=3_101),
    "session_lost": with_seen(
        wishes=(Wish("key", case.ALICE, case.STATION, case.OTHER_SESSION, 202),)
    ),
    "start_shared": with_seen(wishes=(Wish("key", case.BOB, case.STATION, case.SESSION, 202),)),
    "review_unexplained": with_session(status="review"),
    "unattributed": with_rows(orphans=(OrphanRow(case.STATION, "stop", "unknown", ""),)),
    "call_unanswered": with_exchange(
        case.exchange("StopTransaction", {"transactionId": 8}, None, answered_at=None)
    ),
    "stop_refused": with_exchange(case.stop_of(answer=None, error="InternalError")),
    "call_refused": with_exchange(
        case.exchange("StatusNotification", {}, None, error="InternalError")
    ),
    "start_lost": with_exchange(case.start_of(8)),
    "start_renumbered": with_exchange(case.start_of(8)),
    "stop_lost": with_session(has_stop=False),
    "reading_lost": with_exchange(case.sample_of(LATER)),
    "reading_repeated": with_rows(
        readings=(ReadingRow(case.SESSION, case.STATION, case.START),) * 2
    ),
    "offline": with_rows(stations=(case.StationRow(case.STATION, False, 3),)),
    "unreachable": with_seen(presences=(Presence(case.STATION, "here", True, "timed_out"),)),
    "command_open": with_rows(commands=(CommandRow("c", case.STATION, "Reset", "sent"),)),
    "fence_wrong": with_rows(stations=(case.StationRow(case.STATION, True, 5),)),
    "reconcile": with_seen(reconcile=("hold_left session 1",)),
    "trespass": with_seen(trespasses=("bob stopped what is alice's",)),
    "failure": with_seen(failures=("serve-1 ended by itself",)),
}


def codes_of(evidence):
    return {finding.code for finding in find(evidence)}


def test_nothing_is_found_where_nothing_is_wrong():
    assert find(case.clean()) == []


@pytest.mark.parametrize("code", DEFECTS)
def test_a_planted_defect_is_found(code):
    assert code in codes_of(DEFECTS[code](case.clean()))


def test_no_check_is_without_its_defect():
    files = (settings.BASE_DIR / "config/chaos/checks").glob("*.py")
    named = {
        code
        for file in files
        for code in re.findall(r'"([a-z]+_[a-z_]+|offline|unbalanced|overdrawn)"', file.read_text())
    }
    others = {"energy_wh", "power_w", "clock_changed", "clock_unknown", "energy_after_refusal"}
    others |= {"implausible_energy"}
    assert named - others <= DEFECTS.keys()


def test_a_lost_session_is_found_by_each_who_knows_of_it():
    found = codes_of(in_rows(case.clean(), sessions=()))
    assert {"charge_lost", "session_lost", "start_lost", "stop_lost", "session_missing"} <= found


def test_a_hold_that_nobody_resolved_is_found_beside_the_books():
    found = codes_of(without_transfer("capture")(case.clean()))
    assert {"holds_wrong", "balance_wrong", "cost_wrong"} <= found


def replaced(amount):
    """A first hold of this amount, which another took the place of: the limit was raised."""

    def plant(evidence):
        first = case.transfer("first", "pending", "charge", amount)
        void = case.transfer("void", "voided", "charge", amount, resolves="first")
        topup, *rest = evidence.rows.transfers
        return in_rows(evidence, transfers=(topup, first, void, *rest))

    return plant


def test_a_hold_that_a_raised_limit_replaced_is_no_finding():
    assert find(replaced(1_000)(case.clean())) == []


def test_a_hold_that_was_left_beside_the_raised_one_is_found():
    evidence = replaced(1_000)(case.clean())
    rows = tuple(row for row in evidence.rows.transfers if row.key != "void")
    assert {"holds_wrong", "balance_wrong"} <= codes_of(in_rows(evidence, transfers=rows))


def test_what_was_taken_past_the_last_hold_is_found_though_an_earlier_one_was_higher():
    """The session states too much as well, so only its transfers tell."""
    evidence = replaced(9_999)(case.clean())
    session = case.session(hold_minor=9_999, cost_minor=case.COST + 1)
    assert "taken_past_hold" in codes_of(in_rows(evidence, sessions=(session,)))


def test_a_correction_that_its_driver_could_not_pay_is_no_finding():
    evidence = case.clean()
    paid = case.COST - 100
    rows = {row.key: row for row in evidence.rows.transfers}
    rows["capture"] = dataclasses.replace(rows["capture"], amount_minor=paid)
    rows["loss"] = dataclasses.replace(rows["loss"], amount_minor=case.LOSS + 100)
    events = (dataclasses.replace(evidence.rows.events[0], text="corrected completed"),)
    evidence = in_rows(
        evidence,
        sessions=(case.session(cost_minor=paid),),
        transfers=tuple(rows.values()),
        events=events,
    )
    assert not {"cost_wrong", "loss_wrong"} & codes_of(evidence)


def test_a_cost_without_a_bill_is_found():
    cancelled = case.session(bill=None, transaction_id=None, cost_minor=224)
    assert "cost_wrong" in codes_of(in_rows(case.clean(), sessions=(cancelled,), transfers=()))


def test_a_wrong_clock_explains_a_review():
    evidence = in_rows(
        case.clean(), sessions=(case.session(status="review", flags=["clock_changed"]),)
    )
    assert "review_unexplained" in codes_of(evidence)
    clocked = in_seen(evidence, wrong_clocks=frozenset({case.STATION}))
    assert "review_unexplained" not in codes_of(clocked)


def test_a_start_that_was_never_answered_may_have_made_a_session():
    unanswered = (Wish("key", case.ALICE, case.STATION),)
    assert codes_of(in_seen(case.clean(), wishes=unanswered)) == set()
    assert "start_repeated" in codes_of(in_seen(case.clean(), wishes=()))


def test_an_account_shows_faults_and_the_session_in_the_order_of_time():
    evidence = with_session(cost_minor=case.COST + 1)(case.clean())
    lines = list(tell(find(evidence)[0], evidence))
    assert lines[0].startswith(f"session {case.SESSION}: completed")
    assert any("transfer captured charge 2500" in line for line in lines)
    assert any("FAULT" in line for line in lines)
    assert any("EVENT moved" in line for line in lines)
