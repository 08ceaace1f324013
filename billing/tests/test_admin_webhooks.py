"""Webhooks in the back office: the secret is told once, and each button says who and why."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from billing.hooks import endpoints
from billing.models import OutboxMessage, User, WebhookDelivery, WebhookEndpoint
from billing.tests.back_office import errors_of, press, told, values_of
from conftest import top_up

pytestmark = pytest.mark.django_db
LIST = "/admin/billing/webhookendpoint/"
NEW = {"url": "https://erp.example/in/t0p-s3cret", "description": "", "reason": "the ERP"}


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def endpoint(olga, alice):
    return endpoints.add_endpoint(facts={"url": "https://erp.example/"}, by=olga).endpoint


def button(row, name):
    return f"/admin/billing/{row._meta.model_name}/{row.pk}/{name}/"


def test_an_endpoint_is_added_and_its_secret_is_told_once(olgas, olga):
    chosen = {"event_types": ["payment.paid"], "enabled": "on"}
    answer = olgas.post(LIST + "add/", NEW | chosen, follow=True)
    row = WebhookEndpoint.objects.get()
    assert (row.event_types, row.enabled, row.made_by) == (["payment.paid"], True, olga)
    assert [text for text in told(answer) if "whsec_" in text]
    assert "whsec_" not in olgas.get(f"{LIST}{row.pk}/change/").text
    assert LogEntry.objects.get().change_message == "the ERP"
    assert "t0p-s3cret" not in olgas.get(LIST).text


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://10.0.0.1/"},
        {"url": ""},
        {"event_types": []},
        {"event_types": ["session.sold"]},
        {"reason": ""},
    ],
)
def test_a_wrong_form_is_shown_again(olgas, change):
    said = NEW | {"event_types": ["payment.paid"], "enabled": "on"} | change
    answer = olgas.post(LIST + "add/", said)
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == set(change)
    assert not WebhookEndpoint.objects.exists()


def test_only_what_was_changed_is_changed(olgas, endpoint):
    address = f"{LIST}{endpoint.pk}/change/"
    values = values_of(olgas, address) | {"event_types": ["session.error"], "reason": "less"}
    olgas.post(address, values)
    row = WebhookEndpoint.objects.get()
    assert (row.event_types, row.url) == (["session.error"], "https://erp.example/")
    assert LogEntry.objects.latest("pk").change_message == "event_types · less"


def test_the_buttons_of_an_endpoint(olgas, endpoint, alice):
    press(olgas, button(endpoint, "test"), reason="try")
    assert OutboxMessage.objects.get(topic="webhook").lane == endpoint.lane
    answer = press(olgas, button(endpoint, "rotate"), reason="leaked")
    assert [text for text in told(answer) if "whsec_" in text]
    top_up(alice, 1)
    OutboxMessage.objects.filter(topic="webhook").update(status="failed")
    answer = press(olgas, button(endpoint, "send_failed"), reason="mended")
    assert told(answer) == ["1 deliveries are sent again."]  # the test is not one of them
    press(olgas, button(endpoint, "remove"), reason="over")
    assert not WebhookEndpoint.objects.exists()
    said = LogEntry.objects.values_list("change_message", flat=True)
    assert {"test · try", "secret · leaked", "1 sent again · mended", "over"} <= set(said)


def test_a_delivery_is_sent_again_from_its_page_but_not_while_it_is_under_way(
    olgas, endpoint, alice
):
    top_up(alice, 1)
    row = WebhookDelivery.objects.get()
    answer = press(olgas, button(row, "send_again"), reason="lost")
    assert "under way" in str(errors_of(answer))
    OutboxMessage.objects.filter(topic="webhook").update(status="delivered", attempts=3)
    press(olgas, button(row, "send_again"), reason="lost")
    message = OutboxMessage.objects.get(topic="webhook")
    assert (message.status, message.attempts) == ("queued", 0)


def test_who_may_only_look_has_no_buttons(client, endpoint):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_webhookendpoint"))
    client.force_login(clerk)
    assert client.get(f"{LIST}{endpoint.pk}/change/").status_code == 200
    for name in ("test", "rotate", "send_failed", "remove"):
        assert client.get(button(endpoint, name)).status_code == 403
