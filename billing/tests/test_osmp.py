"""Payment terminals: the OSMP protocol over HTTP, and the day's register."""

import base64
import io
import xml.etree.ElementTree as ET
from functools import partial

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.test import Client

from billing import ledger
from billing.models import Payment, TerminalPayment, Transfer, User

from .threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "a key of the terminals"
PHONE = "996700000002"  # Bob's
TXN_DATE = "20260301003000"


@pytest.fixture(autouse=True)
def _on(settings):
    settings.CSMS_OSMP_ADDRESSES = ["127.0.0.0/8"]
    settings.CSMS_OSMP_KEY = KEY


def get(query, *, terminal="pay24", headers=None, **environment):
    headers = {"X-Api-Key": KEY} if headers is None else headers
    return Client(**environment).get(f"/billing/osmp/{terminal}", query, headers=headers)


def read(answer):
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/xml")
    return {child.tag: child.text for child in ET.fromstring(answer.content)}


def ask(command, **values):
    query = {"command": command, "txn_id": "1001", "account": PHONE, "sum": "200.00", **values}
    if command == "pay":
        query.setdefault("txn_date", TXN_DATE)
    return read(get({name: text for name, text in query.items() if text is not None}))


def balance_of(user):
    return ledger.account_of(user).balance_minor


def test_check_says_whether_an_account_can_be_paid(bob):
    assert ask("check") == {
        "osmp_txn_id": "1001",
        "sum": "200.00",
        "result": "0",
        "comment": "ok",
    }
    assert balance_of(bob) == 0
    assert not TerminalPayment.objects.exists()


def test_pay_credits_the_driver(bob):
    answer = ask("pay")
    row = TerminalPayment.objects.get()
    assert answer == {
        "osmp_txn_id": "1001",
        "prv_txn": str(row.pk),
        "sum": "200.00",
        "result": "0",
        "comment": "ok",
    }
    assert balance_of(bob) == 20_000
    assert (row.payment.provider, row.payment.status) == ("osmp", "paid")
    assert row.txn_at.isoformat() == "2026-02-28T18:30:00+00:00"  # 00:30 in Bishkek


def test_a_repeated_pay_gets_the_first_answer_and_pays_once(bob):
    first = ask("pay")
    assert [ask("pay", txn_date="20260302000000") for _ in range(3)] == [first] * 3
    assert balance_of(bob) == 20_000


def test_one_pay_ten_times_at_once_pays_once(bob):
    answers = in_parallel([partial(ask, "pay")] * 10)
    assert len({answer["prv_txn"] for answer in answers}) == 1
    assert {answer["result"] for answer in answers} == {"0"}
    assert balance_of(bob) == 20_000
    assert Transfer.objects.filter(code="topup").count() == 1


@pytest.mark.parametrize("change", [{"sum": "200.01"}, {"account": "996700000009"}])
def test_another_payment_under_a_used_txn_id_is_refused(bob, change):
    ask("pay")
    answer = ask("pay", **change)
    assert answer["result"] == "300"
    assert "prv_txn" not in answer
    assert balance_of(bob) == 20_000


def test_each_network_counts_for_itself(bob):
    query = {"command": "pay", "txn_id": "7", "account": PHONE, "sum": "50", "txn_date": TXN_DATE}
    first, other = read(get(query)), read(get(query, terminal="umai"))
    assert first["prv_txn"] != other["prv_txn"]
    assert balance_of(bob) == 10_000


@pytest.mark.parametrize("account", ["996700000002", "+996700000002", "0700000002", "700000002"])
def test_a_phone_is_known_in_every_spelling(bob, account):
    assert ask("check", account=account)["result"] == "0"


@pytest.mark.parametrize("command", ["check", "pay"])
@pytest.mark.parametrize(
    ("values", "result"),
    [
        ({"account": "bob"}, "4"),
        ({"account": ""}, "4"),
        ({"account": "1234"}, "4"),
        ({"account": "996700000099"}, "5"),
        ({"sum": "9.99"}, "241"),
        ({"sum": "0.00"}, "241"),
        ({"sum": "100000.01"}, "242"),
        ({"sum": "-5"}, "300"),
        ({"sum": "5.001"}, "300"),
        ({"sum": "1e3"}, "300"),
        ({"txn_id": "x"}, "300"),
        ({"txn_id": "1" * 21}, "300"),
        ({"txn_id": None}, "300"),
        ({"txn_date": "20260230000000"}, "300"),
        ({"txn_date": "yesterday"}, "300"),
    ],
)
def test_what_cannot_be_paid_says_why(bob, command, values, result):
    answer = ask(command, **values)
    assert answer["result"] == result
    assert "prv_txn" not in answer
    assert balance_of(bob) == 0


@pytest.mark.parametrize("values", [{"sum": None}, {"txn_date": None}])
def test_a_check_needs_neither_sum_nor_date_and_a_pay_both(bob, values):
    assert ask("check", **values)["result"] == "0"
    query = {"command": "pay", "txn_id": "5", "account": PHONE, "sum": "50", "txn_date": TXN_DATE}
    answer = read(get({name: text for name, text in query.items() if name not in values}))
    assert answer["result"] == "300"


def test_an_unknown_command_is_refused(bob):
    assert ask("cancel")["result"] == "300"


def test_a_blocked_driver_is_not_paid_for(bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert ask("check")["result"] == "7"
    assert ask("pay")["result"] == "7"
    assert balance_of(bob) == 0


def test_a_refusal_is_repeated_even_when_its_cause_is_gone(bob):
    assert ask("pay", account="996700000077")["result"] == "5"
    User.objects.create_user("+996700000077", phone="+996700000077")
    assert ask("pay", account="996700000077")["result"] == "5"
    assert ask("pay", account="996700000077", txn_id="1002")["result"] == "0"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Api-Key": "another"},
        {"X-Api-Key": "é"},
        {"Authorization": "Basic x"},
        {"Authorization": f"Bearer {KEY}"},
    ],
)
def test_without_the_key_nobody_pays(bob, headers):
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    answer = get({"command": "pay"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_key_may_be_a_password_or_in_the_address(bob):
    query = {"command": "check", "txn_id": "1", "account": PHONE, "sum": "50"}
    password = base64.b64encode(f"pay24:{KEY}".encode()).decode()
    assert read(get(query, headers={"Authorization": f"Basic {password}"}))["result"] == "0"
    assert read(get(query | {"key": KEY}, headers={}))["result"] == "0"


def test_only_known_addresses_pay(bob, settings):
    settings.CSMS_OSMP_ADDRESSES = ["203.0.113.0/24"]
    query = {"command": "check", "txn_id": "1", "account": PHONE, "sum": "50"}
    assert get(query).status_code == 403
    forwarded = {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}
    assert get(query, **forwarded).status_code == 403
    settings.CSMS_TRUSTED_PROXIES = ["127.0.0.1"]
    assert read(get(query, **forwarded))["result"] == "0"
    assert get(query, HTTP_X_FORWARDED_FOR="203.0.113.7, 198.51.100.1").status_code == 403


@pytest.mark.parametrize("name", ["CSMS_OSMP_KEY", "CSMS_OSMP_ADDRESSES"])
def test_it_is_off_unless_both_are_set(bob, settings, name):
    setattr(settings, name, "" if name == "CSMS_OSMP_KEY" else [])
    assert get({"command": "check"}, headers={"X-Api-Key": ""}).status_code == 404


def test_without_a_database_a_terminal_tries_again(bob):
    def is_away(*call):
        raise OperationalError("gone")

    with connection.execute_wrapper(is_away):
        answer = ask("pay")
    assert (answer["osmp_txn_id"], answer["result"]) == ("1001", "1")
    assert ask("pay")["result"] == "0"


# --- The register --------------------------------------------------------------------------------


def register(date="2026-03-01", terminal="pay24"):
    return ["--date", date, "--terminal", terminal]


@pytest.fixture
def day(bob):
    """Two payments on the 1st of March in Bishkek, one refused, and one a second before."""
    ask("pay", txn_id="1", sum="100.00", txn_date="20260301000000")
    ask("pay", txn_id="2", sum="250.50", txn_date="20260301235959")
    ask("pay", txn_id="3", sum="1.00", txn_date="20260301120000")
    ask("pay", txn_id="4", sum="100.00", txn_date="20260228235959")
    return [str(row.pk) for row in TerminalPayment.objects.order_by("pk")]


def test_the_register_holds_what_was_taken_on_the_local_day(day, tmp_path):
    file = tmp_path / "register.csv"
    call_command("osmp_register", *register(), "--output", str(file))
    assert file.read_text() == (
        "txn_id,date,account,sum,prv_txn\n"
        f"1,20260301000000,{PHONE},100.00,{day[0]}\n"
        f"2,20260301235959,{PHONE},250.50,{day[1]}\n"
    )


def compare(tmp_path, text, *arguments):
    """Return the exit status and what was printed."""
    file, printed = tmp_path / "theirs.csv", io.StringIO()
    file.write_text(text)
    try:
        call_command("osmp_compare", str(file), *(arguments or register()), stdout=printed)
    except SystemExit as end:
        return end.code, printed.getvalue().splitlines()
    return 0, printed.getvalue().splitlines()


def test_our_own_register_has_no_differences(day, tmp_path):
    file = tmp_path / "register.csv"
    call_command("osmp_register", *register(), "--output", str(file))
    assert compare(tmp_path, file.read_text()) == (
        0,
        ["2 in their register, 0 differences."],
    )


def test_every_difference_is_found(day, tmp_path):
    theirs = "txn_id,sum,account\n2,250.00,996700000009\n2,250.00,\n9,70,\n"
    code, lines = compare(tmp_path, theirs)
    assert code == 1
    assert lines == [
        "2: sum is 250.50 in ours and 250.00 in theirs",
        f"2: account is {PHONE} in ours and 996700000009 in theirs",
        "2: twice in their register",
        "9: 70.00 only in their register",
        "1: 100.00 only in ours",
        "3 in their register, 5 differences.",
    ]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "txn_id,sum\n1,much\n", "txn_id,sum\n1\n"])
def test_a_file_that_is_no_register_is_a_failure(day, tmp_path, text):
    with pytest.raises(CommandError) as failure:
        compare(tmp_path, text)
    assert failure.value.returncode == 2


def test_payments_of_terminals_are_in_the_drivers_list(bob):
    ask("pay")
    assert Payment.objects.get(user=bob).provider_ref == "pay24:1001"
