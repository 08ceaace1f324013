"""The hook for fiscal registration: at least once, in order, and the answer is kept."""

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import outbox
from billing.models import FiscalRegistration, OutboxMessage, Receipt
from billing.receipts import fiscal
from config.checks import check_settings
from config.notices import DELIVERIES

from .back_office import press
from .sales import document

pytestmark = pytest.mark.django_db


class Register:
    """A register that can be away; it knows what it was told."""

    def __init__(self):
        self.told = []
        self.is_away = False

    def __call__(self, snapshot):
        self.told.append(snapshot["number"])
        if self.is_away:
            raise ConnectionError("the register is away")
        return fiscal.Registered(f"F-{snapshot['number']}", qr_text=f"qr {snapshot['paid']}")


register = Register()


@pytest.fixture(autouse=True)
def told(settings):
    settings.CSMS_FISCAL_REGISTRAR = f"{__name__}.register"
    register.__init__()
    return register.told


def deliver():
    """Do what the worker does, as if each pause were over."""
    OutboxMessage.objects.filter(status="queued").update(due_at=timezone.now())
    outbox.deliver_due(DELIVERIES)


def registered():
    rows = FiscalRegistration.objects.order_by("receipt__number")
    return list(rows.values_list("receipt__number", "fiscal_number", "qr_text"))


def test_without_a_registrar_nothing_is_registered(alice, settings):
    settings.CSMS_FISCAL_REGISTRAR = ""
    document(alice)
    assert not OutboxMessage.objects.exists()


def test_each_document_is_registered_and_the_answer_kept(alice, told):
    document(alice)
    document(alice, 100_000)
    assert registered() == []
    deliver()
    assert told == [1, 2]
    assert registered() == [(1, "F-1", "qr 1231.25"), (2, "F-2", "qr 1000.00")]
    deliver()
    assert told == [1, 2]


def test_a_register_that_is_away_is_asked_again(alice, told):
    register.is_away = True
    document(alice)
    deliver()
    assert registered() == []
    assert "away" in OutboxMessage.objects.get().last_error
    register.is_away = False
    deliver()
    assert (told, registered()) == ([1, 1], [(1, "F-1", "qr 1231.25")])


def test_a_message_that_comes_twice_keeps_the_first_answer(alice):
    document(alice)
    message = OutboxMessage.objects.get()
    fiscal.register(message)
    fiscal.register(message)
    assert registered() == [(1, "F-1", "qr 1231.25")]


def test_a_correction_waits_for_its_receipt(alice, told):
    document(alice)
    OutboxMessage.objects.update(status="failed")
    document(alice, 100_000)
    deliver()
    assert told == []
    assert "000001 is not registered" in OutboxMessage.objects.get(status="queued").last_error


def test_staff_have_a_document_registered_again(alice, client, olga, told):
    receipt = document(alice)
    client.force_login(olga)
    page = reverse("admin:billing_receipt_change", args=[receipt.pk])
    assert "Register again" not in client.get(page).text
    OutboxMessage.objects.update(status="failed", attempts=15)
    assert "Register again" in client.get(page).text
    button = reverse("admin:billing_receipt_register", args=[receipt.pk])
    press(client, button, reason="The register is back.")
    deliver()
    assert registered() == [(1, "F-1", "qr 1231.25")]
    assert Receipt.objects.get().registration.fiscal_number == "F-1"


@pytest.mark.parametrize("name", ["nowhere.register", "billing.receipts.fiscal.TOPIC", "register"])
def test_a_registrar_that_cannot_be_called_fails_at_start(settings, name):
    settings.CSMS_FISCAL_REGISTRAR = name
    assert "kubat.E018" in {problem.id for problem in check_settings(None)}


def test_a_registrar_that_can_be_called_is_fine():
    assert check_settings(None) == []
