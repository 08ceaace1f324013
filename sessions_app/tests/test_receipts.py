"""Which charge gets a receipt, what it says, and who may see it."""

import datetime as dt
import io
import uuid

import pypdf
import pytest
from django.urls import reverse

from billing.models import Receipt, Tariff
from sessions_app import tags
from sessions_app.services import expire
from stations.models import Site, Station
from stations.tests.cast import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def taxed(tariff):
    Tariff.objects.update(vat_percent=12)


def charge(stage, driver, energy_wh=4_000, amount="500"):
    session = stage.charge(driver, "amount", amount)
    stage.deliver(session.transaction_id, energy_wh, seconds=600)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    return session


def charge_that_is_corrected(stage, driver, energy_wh, later_wh):
    """The station falls silent, the session is ended without it, and then it tells its meter."""
    session = stage.charge(driver, "amount", "500")
    stage.deliver(session.transaction_id, energy_wh)
    stage.stop(session, driver)
    expire.run_due(stage.now + dt.timedelta(hours=1))
    stage.end(session.transaction_id, register_wh=stage.register_wh + later_wh)
    session.refresh_from_db()
    return session


def documents(session):
    return list(Receipt.objects.of(session.reference))


# --- Which -----------------------------------------------------------------------------------


def test_a_settled_charge_has_its_receipt(stage, alice):
    Station.objects.update(name="Дордой", site=Site.objects.create(name="D", address="Ош 1"))
    session = charge(stage, alice)
    (receipt,) = documents(session)
    assert (receipt.number, receipt.kind, receipt.user) == (1, "receipt", alice)
    assert (receipt.total_minor, receipt.paid_minor, receipt.tax_minor) == (5_000, 5_000, 536)
    sale = receipt.snapshot["sale"]
    assert sale == {
        "place": "Дордой",
        "address": "Ош 1",
        "connector": 1,
        "started_at": session.started_at.isoformat(),
        "ended_at": session.stopped_at.isoformat(),
        "time_zone": "Asia/Bishkek",
        "energy_kwh": "4.000",
        "tariff": "",
        "price_per_kwh": "12.50",
    }
    assert receipt.snapshot["lines"] == session.bill["lines"]


def test_what_is_delivered_past_the_limit_is_shown_and_not_charged(stage, alice):
    (receipt,) = documents(charge(stage, alice, 5_000, amount="50"))
    assert (receipt.total_minor, receipt.paid_minor) == (6_250, 5_000)
    assert receipt.tax_minor == 536, "the tax in what was paid"


def test_an_operators_charge_and_one_that_cost_nothing_have_none(stage, alice, olga):
    tags.add_tag({"id_tag": "OPERATOR"}, actor=olga)
    verdict = stage.begin("OPERATOR")
    stage.deliver(verdict.transaction_id, 700)
    stage.end(verdict.transaction_id)
    charge(stage, alice, 0)
    cancelled = stage.ask(alice, "amount", "20")
    stage.stop(cancelled, alice)
    assert not Receipt.objects.exists()


def test_a_charge_in_review_has_none_until_it_is_settled(stage, alice):
    session = stage.charge(alice, "amount", "200")
    stage.deliver(session.transaction_id, 5_000)
    stage.deliver(session.transaction_id, -3_000)
    stage.pass_time(seconds=1)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.status == "review"
    assert documents(session) == []


def test_a_repeated_stop_issues_one_receipt(stage, alice):
    session = charge(stage, alice)
    stage.end(session.transaction_id)
    assert len(documents(session)) == 1


@pytest.mark.parametrize(("later_wh", "difference"), [(1_000, 1_250), (-500, -625)])
def test_a_late_stop_is_documented_by_a_correction(stage, alice, later_wh, difference):
    session = charge_that_is_corrected(stage, alice, 2_000, later_wh)
    receipt, correction = documents(session)
    assert (receipt.paid_minor, correction.kind) == (2_500, "correction")
    assert (correction.refers_to, correction.number) == (receipt, 2)
    assert correction.difference_minor == difference
    assert correction.paid_minor == session.cost_minor
    assert receipt.snapshot["paid"] == "25.00"
    assert receipt.snapshot["sale"]["energy_kwh"] == "2.000"
    assert correction.snapshot["corrects"]["paid_before"] == "25.00"


def test_a_late_stop_that_changes_nothing_needs_no_correction(stage, alice):
    assert len(documents(charge_that_is_corrected(stage, alice, 2_000, 0))) == 1


def test_a_charge_that_cost_nothing_at_first_gets_its_receipt_late(stage, alice):
    (receipt,) = documents(charge_that_is_corrected(stage, alice, 0, 2_000))
    assert (receipt.kind, receipt.paid_minor) == ("receipt", 2_500)


# --- Who -------------------------------------------------------------------------------------


@pytest.fixture
def sold(stage, alice):
    return charge_that_is_corrected(stage, alice, 2_000, 1_000)


def address(session, suffix="pdf", number=None):
    corrections = f"/corrections/{number}" if number else ""
    return f"/billing/receipts/{session.pk}{corrections}.{suffix}"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_driver_reads_their_receipt_as_paper_page_and_json(sold, alice, slash):
    client = signed_in(alice)
    paper = client.get(address(sold) + slash, {"lang": "ky"})
    assert paper.status_code == 200
    assert paper.headers["Content-Type"] == "application/pdf"
    assert paper.headers["Content-Disposition"] == 'inline; filename="receipt-000001.pdf"'
    (page,) = pypdf.PdfReader(io.BytesIO(paper.content)).pages
    assert "Төлөндү" in page.extract_text()
    screen = client.get(address(sold, "html") + slash, {"lang": "ru"})
    assert screen.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Оплачено" in screen.content.decode()
    data = client.get(address(sold, "json") + slash).json()
    assert (data["number"], data["paid"], data["fiscal"]) == (1, "25.00", None)
    assert data == Receipt.objects.get(number=1).snapshot | {"fiscal": None}


@pytest.mark.parametrize("suffix", ["pdf", "html", "json"])
def test_a_correction_is_read_by_its_number(sold, alice, suffix):
    client = signed_in(alice)
    assert client.get(address(sold, suffix, 2)).status_code == 200
    for wrong in (1, 3, 10**30):
        assert client.get(address(sold, suffix, wrong)).status_code == 404


@pytest.mark.parametrize("number", [None, 2])
@pytest.mark.parametrize("suffix", ["pdf", "html", "json"])
def test_anothers_receipt_is_not_found(sold, bob, olga, suffix, number):
    answer = signed_in(bob).get(address(sold, suffix, number))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert signed_in(olga).get(address(sold, suffix, number)).status_code == 200


def test_a_charge_without_a_receipt_has_none_to_read(stage, alice):
    session = stage.charge(alice)
    client = signed_in(alice)
    assert client.get(address(session)).status_code == 404
    assert client.get(f"/billing/receipts/{uuid.uuid4()}.pdf").status_code == 404


def test_a_language_that_there_is_not_is_refused(sold, alice):
    answer = signed_in(alice).get(address(sold), {"lang": "xx"})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["lang"])


def test_the_list_has_each_document_and_where_it_is(sold, alice):
    client = signed_in(alice)
    listed = client.get("/billing/receipts").json()
    assert listed["count"] == 2
    correction, receipt = listed["results"]
    assert (receipt["number"], receipt["kind"], receipt["corrects"]) == (1, "receipt", None)
    assert (correction["number"], correction["corrects"]) == (2, 1)
    assert (correction["paid"], correction["difference"]) == ("37.50", "12.50")
    assert {row["session_id"] for row in listed["results"]} == {str(sold.pk)}
    for row in listed["results"]:
        assert client.get(row["pdf"]).content.startswith(b"%PDF-")
    assert client.get("/billing/receipts", {"kind": "correction"}).json()["count"] == 1


def test_the_list_is_ones_own_and_staffs(sold, alice, bob, olga):
    of_alice = {"user_id": str(alice.pk)}
    assert signed_in(bob).get("/billing/receipts").json()["count"] == 0
    assert signed_in(bob).get("/billing/receipts", of_alice).status_code == 403
    staff = signed_in(olga)
    assert staff.get("/billing/receipts").json()["count"] == 2
    assert staff.get("/billing/receipts", of_alice).json()["count"] == 2
    assert staff.get("/billing/receipts", {"user_id": str(bob.pk)}).json()["count"] == 0


def test_the_back_office_leads_from_a_session_to_its_papers(sold, client, olga):
    client.force_login(olga)
    page = client.get(reverse("admin:sessions_app_chargingsession_change", args=[sold.pk])).text
    for receipt in documents(sold):
        paper = reverse("admin:billing_receipt_pdf", args=[receipt.pk])
        assert paper in page
        assert client.get(paper).content.startswith(b"%PDF-")
    listed = client.get(reverse("admin:billing_receipt_changelist"), {"q": "000002"})
    assert [row.number for row in listed.context["cl"].result_list] == [2]


def test_the_paper_in_the_back_office_is_for_those_who_may_see_it(sold, client, alice, olga):
    paper = reverse("admin:billing_receipt_pdf", args=[documents(sold)[0].pk])
    assert client.get(paper).status_code == 302
    client.force_login(alice)
    assert client.get(paper).status_code == 302
    alice.is_staff = True
    alice.save()
    assert client.get(paper).status_code == 403
    client.force_login(olga)
    nowhere = reverse("admin:billing_receipt_pdf", args=[uuid.uuid4()])
    assert client.get(nowhere).status_code == 404
