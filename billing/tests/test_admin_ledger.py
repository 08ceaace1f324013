"""The books in the back office: to be read, and by no address to be written."""

import pytest
from django.contrib import admin
from django.urls import reverse

from billing import ledger
from billing.admin.base import ReadOnlyAdmin
from billing.models import (
    Account,
    IdempotentRequest,
    OutboxMessage,
    Payment,
    Receipt,
    Tariff,
    Transfer,
)

from .sales import document

BOOKS = (Account, Transfer, Payment, Receipt, Tariff, OutboxMessage, IdempotentRequest)


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def books(alice, tariff):
    document(alice)
    OutboxMessage.objects.create(key="alert:1", topic="alert.opened")
    IdempotentRequest.objects.create(user=alice, path="/ocpp/start_charge", key="k")


def rows_of(model):
    return list(model.objects.order_by("pk").values())


@pytest.mark.parametrize("model", BOOKS, ids=lambda model: model.__name__)
def test_no_address_writes_the_books(olgas, books, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    before, row = rows_of(model), model.objects.first()
    values = {field.name: "1" for field in model._meta.fields} | {"reason": "fraud", "post": "yes"}
    for address in (
        reverse(f"{name}_add"),
        reverse(f"{name}_change", args=[row.pk]),
        reverse(f"{name}_delete", args=[row.pk]),
    ):
        assert olgas.post(address, values).status_code == 403, address
    selection = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    olgas.post(reverse(f"{name}_changelist"), selection)
    assert rows_of(model) == before
    assert isinstance(admin.site._registry[model], ReadOnlyAdmin)


def test_the_transfers_of_one_account_are_both_its_sides(olgas, alice, bob):
    hold = ledger.hold(
        key="h", account=ledger.account_of(alice), amount=ledger.Minor(500), reference="session:1"
    )
    ledger.capture(hold, ledger.Minor(400))
    ledger.account_of(bob)
    address = reverse("admin:billing_transfer_changelist")

    def found(query):
        return len(olgas.get(f"{address}?{query}").context["cl"].result_list)

    assert found(f"account={ledger.account_of(alice).pk}") == 3
    assert found(f"account={ledger.account_of(bob).pk}") == 0
    assert found("account=everyone") == 0
    assert found("open=1") == 0
    assert found("q=session:1") == 2


def test_amounts_are_shown_as_money(olgas, alice):
    for model in (Account, Transfer, Payment):
        name = f"admin:billing_{model._meta.model_name}"
        for address in (
            reverse(f"{name}_changelist"),
            reverse(f"{name}_change", args=[model.objects.first().pk]),
        ):
            text = olgas.get(address).text
            assert "1000.00 KGS" in text, address
            assert "100000" not in text, address
