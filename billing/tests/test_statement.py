"""Statements: from one balance to the next, and every sum adds up."""

import csv
import datetime as dt
import io
import zoneinfo

import pypdf
import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import ledger
from billing.errors import InsufficientFunds, Invalid
from billing.models import Transfer, User
from billing.receipts import statement, statement_csv, statement_pdf
from billing.receipts.statement import Period, draw_up

from .sales import document

pytestmark = pytest.mark.django_db

BISHKEK = zoneinfo.ZoneInfo("Asia/Bishkek")
MAY = Period(dt.date(2026, 5, 1), dt.date(2026, 5, 31))
Kind, Code = ledger.Kind, Transfer.Code


def at(*moment, zone=BISHKEK):
    return dt.datetime(*moment, tzinfo=zone)


def move(account, change, moment, *, code=Code.ADJUSTMENT, reference="", reason=""):
    """Move money in (> 0) or out, as if at `moment`."""
    count = Transfer.objects.count()
    house = ledger.house(Kind.FUNDING)
    debit, credit = (house, account) if change > 0 else (account, house)
    row = ledger.post(
        key=f"move:{count}",
        code=code,
        debit=debit,
        credit=credit,
        amount=abs(change),
        reference=reference,
        reason=reason,
    )
    Transfer.objects.filter(pk=row.pk).update(created_at=moment)


@pytest.fixture
def account(bob):
    return ledger.account_of(bob)


@pytest.fixture
def may(account, bob):
    """In April 100.00 came; in May 20.50 and 500.00 came, 70.25 went; in June 5.00 came."""
    move(account, 10_000, at(2026, 4, 30, 23, 59))
    move(account, 2_050, at(2026, 5, 1), code=Code.TOPUP)
    move(account, 50_000, at(2026, 5, 2, 12), code=Code.TOPUP)
    move(account, -7_025, at(2026, 5, 31, 23, 59), code=Code.CHARGE, reference="session:1")
    move(account, 500, at(2026, 6, 1), reason="=goodwill")
    document(bob, 7_025)


def test_a_statement_leads_from_one_balance_to_the_next(account, may):
    drawn = draw_up(account, MAY)
    assert drawn.opening_minor == 10_000
    assert [row.change_minor for row in drawn.movements] == [2_050, 50_000, -7_025]
    assert [row.balance_minor for row in drawn.movements] == [12_050, 62_050, 55_025]
    assert (drawn.in_minor, drawn.out_minor, drawn.closing_minor) == (52_050, 7_025, 55_025)
    assert [row.receipt for row in drawn.movements] == ["", "", "000001"]


def test_days_are_those_of_the_installation(account, may, settings):
    settings.CSMS_TIME_ZONE = "UTC"
    drawn = draw_up(account, MAY)
    assert [row.change_minor for row in drawn.movements] == [50_000, -7_025, 500]


def test_a_hold_moves_nothing_until_it_is_captured(account, may):
    hold = ledger.hold(key="h", account=account, amount=4_000, reference="session:2")
    today = timezone.now().astimezone(BISHKEK).date()
    assert draw_up(account, Period(today, today)).movements == ()
    ledger.capture(hold, 3_000)
    drawn = draw_up(account, Period(today, today))
    assert [row.change_minor for row in drawn.movements] == [-3_000]
    account.refresh_from_db()
    assert drawn.closing_minor == account.balance_minor


MARCH = at(2026, 3, 1)
CHANGES = st.lists(
    st.tuples(
        st.integers(-5_000, 5_000).filter(bool),
        st.integers(0, 153 * 24 * 60).map(lambda minutes: MARCH + dt.timedelta(minutes=minutes)),
    ),
    max_size=12,
)
DAYS = st.dates(dt.date(2026, 3, 1), dt.date(2026, 8, 1))


@settings(deadline=None, max_examples=50)
@given(changes=CHANGES, days=st.tuples(DAYS, DAYS))
def test_opening_and_movements_are_closing_for_whatever_books(changes, days):
    period = Period(min(days), max(days))
    with transaction.atomic():
        account = ledger.account_of(User.objects.create_user("carol"))
        for change, moment in changes:
            try:
                move(account, change, moment)
            except InsufficientFunds:
                continue
        drawn = draw_up(account, period)
        before = draw_up(account, Period(dt.date(2026, 2, 1), period.first - dt.timedelta(days=1)))
        after = draw_up(account, Period(period.last + dt.timedelta(days=1), dt.date(2026, 8, 9)))
        account.refresh_from_db()
        transaction.set_rollback(True)
    assert drawn.closing_minor == drawn.opening_minor + drawn.in_minor - drawn.out_minor
    assert drawn.closing_minor == drawn.opening_minor + sum(
        row.change_minor for row in drawn.movements
    )
    assert (before.closing_minor, after.opening_minor) == (
        drawn.opening_minor,
        drawn.closing_minor,
    )
    assert after.closing_minor == account.balance_minor


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (dt.date(2026, 5, 2), dt.date(2026, 5, 1)),
        (dt.date(2026, 1, 1), dt.date(2027, 1, 2)),
        (dt.date(1, 1, 1), dt.date(1, 1, 2)),
        (dt.date(9999, 12, 31), dt.date(9999, 12, 31)),
    ],
)
def test_a_period_that_is_none_is_refused(first, last):
    with pytest.raises(Invalid):
        Period(first, last)


def test_the_longest_period_is_a_leap_year():
    assert Period(dt.date(2028, 1, 1), dt.date(2028, 12, 31))


def test_more_than_a_paper_holds_is_refused(account, may, monkeypatch):
    monkeypatch.setattr(statement, "MAX_MOVEMENTS", 2)
    with pytest.raises(Invalid):
        draw_up(account, MAY)


def test_a_table_has_plain_numbers_that_add_up(account, may):
    period = Period(MAY.first, dt.date(2026, 6, 1))
    text = statement_csv.to_csv(draw_up(account, period), "en")
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows == [
        ["Date", "Movement", "In, KGS", "Out, KGS", "Balance, KGS"],
        ["2026-05-01", "Opening balance", "", "", "100.00"],
        ["2026-05-01 00:00:00+06:00", "Top-up", "20.50", "", "120.50"],
        ["2026-05-02 12:00:00+06:00", "Top-up", "500.00", "", "620.50"],
        [
            "2026-05-31 23:59:00+06:00",
            "Charging, Receipt No. 000001",
            "",
            "70.25",
            "550.25",
        ],
        [
            "2026-06-01 00:00:00+06:00",
            "Adjustment by the operator, =goodwill",
            "5.00",
            "",
            "555.25",
        ],
        ["2026-06-01", "Closing balance", "525.50", "70.25", "555.25"],
    ]


def test_paper_says_the_same_in_each_language(account, may):
    expected = {
        "en": ("Account statement", "Bob", "620.50", "01 May 2026 – 31 May 2026", "Charging"),
        "ru": ("Выписка по счёту", "620,50", "550,25", "Остаток на конец", "Пополнение"),
        "ky": ("Эсептин көчүрмөсү", "Акыркы калдык", "Толуктоо", "01.05.2026 – 31.05.2026"),
    }
    drawn = draw_up(account, MAY)
    for language, words in expected.items():
        content = statement_pdf.to_pdf(drawn, language, created_at=at(2026, 6, 2))
        assert content == statement_pdf.to_pdf(drawn, language, created_at=at(2026, 6, 2))
        (page,) = pypdf.PdfReader(io.BytesIO(content)).pages
        text = page.extract_text().replace("\xa0", " ")
        assert [word for word in words if word not in text] == []


def test_an_account_that_nothing_moved_says_so(account):
    content = statement_pdf.to_pdf(draw_up(account, MAY), "ru", created_at=at(2026, 6, 2))
    (page,) = pypdf.PdfReader(io.BytesIO(content)).pages
    assert "движений не было" in page.extract_text()
