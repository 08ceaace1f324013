"""Day totals: derived from transfers, day by day without a gap, zero in sum."""

import csv
import datetime as dt
import io
import itertools
import zoneinfo

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import ledger
from billing.day_totals import bounds, closings, day_totals
from billing.errors import InsufficientFunds
from billing.ledger import Kind
from billing.models import Account, Transfer

pytestmark = pytest.mark.django_db
BISHKEK, BERLIN = zoneinfo.ZoneInfo("Asia/Bishkek"), zoneinfo.ZoneInfo("Europe/Berlin")
FIRST = dt.date(2026, 10, 24)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(4)]  # Berlin's clocks change on the 25th
START = dt.datetime(2026, 10, 23, 18, tzinfo=dt.UTC)  # midnight in Bishkek


def at(transfer, moment):
    Transfer.objects.filter(pk=transfer.pk).update(created_at=moment)


def pay_in(user, amount, moment, key):
    transfer = ledger.post(
        key=key,
        code=Transfer.Code.TOPUP,
        debit=ledger.house(Kind.FUNDING),
        credit=ledger.account_of(user),
        amount=amount,
    )
    at(transfer, moment)


def sell(user, hold, taken, moment, key):
    """Hold and capture at one moment; taking nothing voids."""
    pending = ledger.hold(key=key, account=ledger.account_of(user), amount=hold, reference=key)
    at(pending, moment)
    at(ledger.capture(pending, taken), moment)


def rows(day, zone=BISHKEK):
    return {
        str(row.kind): (
            row.opening_minor,
            row.debits_minor,
            row.credits_minor,
            row.closing_minor,
        )
        for row in day_totals(day, zone)
    }


def test_a_day_in_numbers(bob, olga):
    """1,000 come in on the 24th; 300 are held, of which 230 are taken after midnight."""
    pay_in(bob, 100_000, START, "in")
    sell(bob, 30_000, 23_000, START + dt.timedelta(days=1), "sale")
    sell(olga_funded(olga), 5_000, 0, START + dt.timedelta(days=1), "nothing")
    assert rows(DAYS[0])["customer"] == (0, 0, 101_000, 101_000)
    assert rows(DAYS[0])["funding"] == (0, 101_000, 0, -101_000)
    assert rows(DAYS[1])["customer"] == (101_000, 23_000, 0, 78_000)
    assert rows(DAYS[1])["sales"] == (0, 0, 23_000, 23_000)
    assert rows(DAYS[2])["customer"] == (78_000, 0, 0, 78_000)


def olga_funded(olga):
    pay_in(olga, 1_000, START, "olga")
    pay_in(olga, 99_000, START + dt.timedelta(days=90), "later")
    return olga


def test_a_transfer_at_midnight_is_of_the_new_day(bob):
    pay_in(bob, 100, START - dt.timedelta(microseconds=1), "before")
    pay_in(bob, 20, START, "after")
    assert rows(DAYS[0])["customer"] == (100, 0, 20, 120)


def test_a_day_has_25_hours_where_clocks_go_back():
    start, end = bounds(dt.date(2026, 10, 25), BERLIN)
    assert end - start == dt.timedelta(hours=25)


def test_it_is_one_query(bob):
    pay_in(bob, 100, START, "in")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        day_totals(DAYS[0], BISHKEK)
    assert len(queries) == 1


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["anna", "ben"]),
        st.booleans(),
        st.integers(1, 1_000),
        st.integers(0, 1_000),
        st.integers(0, 4 * 24 * 60),
    ),
    max_size=12,
)


@pytest.mark.parametrize("zone", [BISHKEK, BERLIN], ids=lambda zone: zone.key)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=MOVES)
def test_random_books_close_as_they_open(django_user_model, zone, moves):
    with transaction.atomic():
        play(django_user_model, moves)
        totals = [day_totals(day, zone) for day in DAYS]
        closed = dict(closings(zone))
        present = dict.fromkeys(Kind.values, 0)
        for account in Account.objects.all():
            present[account.kind] += account.balance_minor
        transaction.set_rollback(True)
    for before, after in itertools.pairwise(totals):
        assert [row.closing_minor for row in before] == [row.opening_minor for row in after]
    for day, total in zip(DAYS, totals, strict=True):
        assert sum(row.opening_minor for row in total) == 0
        assert sum(row.debits_minor - row.credits_minor for row in total) == 0
        assert sum(row.closing_minor for row in total) == 0
        if day in closed:
            assert {row.kind: row.closing_minor for row in total} == closed[day]
    assert list(closed.values())[-1:] in ([], [present])


def play(users, moves):
    people = {name: users.objects.create_user(name) for name in ("anna", "ben")}
    for number, (name, is_sale, amount, taken, minute) in enumerate(moves):
        moment = START + dt.timedelta(minutes=minute)
        if not is_sale:
            pay_in(people[name], amount, moment, f"in:{number}")
            continue
        try:
            sell(people[name], amount, min(taken, amount), moment, f"sale:{number}")
        except InsufficientFunds:
            continue


def run(*options):
    out = io.StringIO()
    call_command("day_totals", "--date=2026-10-24", *options, stdout=out)
    return out.getvalue()


def test_the_command_shows_the_day(bob):
    pay_in(bob, 100_050, START, "in")
    lines = run().splitlines()
    assert lines[0] == "2026-10-24 Asia/Bishkek, KGS"
    assert lines[1].split() == ["account", "opening", "debits", "credits", "closing"]
    assert lines[2].split() == ["customer", "0.00", "0.00", "1000.50", "1000.50"]


def test_the_command_writes_csv(bob):
    pay_in(bob, 100_050, START, "in")
    table = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert [row["account"] for row in table] == Kind.values
    assert table[0] == {
        "date": "2026-10-24",
        "account": "customer",
        "opening": "0.00",
        "debits": "0.00",
        "credits": "1000.50",
        "closing": "1000.50",
    }
