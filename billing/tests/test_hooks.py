"""Webhooks to the operator's systems: signed, at least once, and nobody else waits for them."""

import datetime as dt
import json
import time
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from billing import outbox
from billing.errors import Conflict, Invalid, NotFound
from billing.hooks import delivering, endpoints, post
from billing.hooks.endpoints import EndpointFacts
from billing.hooks.events import EventType, emit
from billing.models import (
    OutboxMessage,
    Payment,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from billing.money import Minor
from billing.payments import returns, topups
from billing.tests.receiver import listening, wait_until
from config import notices
from conftest import top_up
from stations.models import Alert

Status = OutboxMessage.Status
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.CSMS_WEBHOOK_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver():
    with listening() as one:
        yield one


def endpoint_at(url, by, *types, **facts):
    """An endpoint and its secret."""
    chosen = {"event_types": list(types)} if types else {}
    return endpoints.add_endpoint(facts=EndpointFacts(url=url, **chosen, **facts), by=by)


@pytest.fixture
def keyed(receiver, olga, alice):
    """An endpoint that comes after what alice has paid."""
    return endpoint_at(receiver.url, olga)


def deliver(endpoint):
    return outbox.deliver_due(notices.DELIVERIES, lane=endpoint.lane)


def make_due():
    OutboxMessage.objects.update(due_at=timezone.now())


def reread(row):
    return type(row).objects.get(pk=row.pk)


def only_message():
    return OutboxMessage.objects.get(topic="webhook")


# --- What is told ---------------------------------------------------------------------------------


def test_a_top_up_is_told_as_the_api_shows_it(keyed, receiver, alice, as_olga):
    top_up(alice, 5_000)
    assert deliver(keyed.endpoint) == 1
    told = receiver.verified(keyed.secret)
    payment = Payment.objects.get(amount_minor=5_000)
    assert told["type"] == "payment.paid"
    assert told["data"] == as_olga.get(f"/billing/topups/{payment.pk}").json()
    assert set(told) == {"id", "type", "created_at", "api_version", "sequence", "data"}
    assert told["api_version"] == "1"
    assert told["created_at"].endswith("Z")


def test_the_headers_are_those_of_standard_webhooks(keyed, receiver, alice):
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    headers, body = receiver.got[0]
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["webhook-signature"].startswith("v1,")
    assert " " not in headers["webhook-signature"]
    assert headers["content-type"] == "application/json"
    assert keyed.secret.startswith("whsec_")


def test_another_secret_does_not_verify(keyed, receiver, alice, olga):
    other = endpoint_at(receiver.url, olga)
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    with pytest.raises(WebhookVerificationError):
        receiver.verified(other.secret)


def test_a_changed_body_does_not_verify(keyed, receiver, alice):
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    headers, body = receiver.got[0]
    receiver.got[0] = (headers, body.replace(b"50.00", b"90.00"))
    with pytest.raises(WebhookVerificationError):
        receiver.verified(keyed.secret)


def test_nothing_is_written_when_nobody_wants_it(alice, olga, receiver, django_assert_num_queries):
    endpoint_at(receiver.url, olga, "session.started")
    endpoint_at(receiver.url, olga, "payment.paid", enabled=False)
    payment = Payment.objects.get(user=alice)
    with django_assert_num_queries(1):
        emit(EventType.PAYMENT_PAID, payment)
    assert not WebhookEvent.objects.exists()
    assert not OutboxMessage.objects.filter(topic="webhook").exists()


def test_only_the_types_that_were_chosen_are_sent(receiver, alice, olga):
    keyed = endpoint_at(receiver.url, olga, "payment.refunded")
    top_up(alice, 5_000)
    assert deliver(keyed.endpoint) == 0
    assert receiver.got == []


def test_an_event_of_a_transaction_that_is_undone_never_was(keyed, alice):
    payment = Payment.objects.get(user=alice)
    with transaction.atomic():
        emit(EventType.PAYMENT_PAID, payment)
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()


def test_a_repeated_confirmation_tells_once(keyed, alice):
    payment = Payment.objects.get(user=alice)
    topups.confirm(payment.pk)
    topups.confirm(payment.pk)
    assert not WebhookEvent.objects.exists()


def test_a_refund_is_told_with_what_went_back(keyed, receiver, alice, olga):
    payment = Payment.objects.get(user=alice)
    returns.request_refund(payment_id=payment.pk, amount=Minor(100), reason="x", made_by=olga)
    assert not WebhookEvent.objects.exists()  # it is on its way, and not done
    outbox.deliver_due(notices.DELIVERIES)
    deliver(keyed.endpoint)
    told = receiver.verified(keyed.secret)
    assert told["type"] == "payment.refunded"
    assert told["data"]["status"] == "paid"  # in part
    assert told["data"]["refund"]["amount"] == "1.00"
    assert told["data"]["refund"]["kind"] == "refund"


def test_a_chargeback_is_told_as_a_refund_of_its_kind(keyed, receiver, alice, olga):
    payment = Payment.objects.get(user=alice)
    returns.record_chargeback(payment_id=payment.pk, reason="x", made_by=olga)
    deliver(keyed.endpoint)
    told = receiver.verified(keyed.secret)
    assert (told["data"]["status"], told["data"]["refund"]["kind"]) == ("refunded", "chargeback")


def test_the_sequence_grows_with_the_events_of_one_object(keyed, receiver, alice, olga):
    top_up(alice, 5_000)
    payment = Payment.objects.get(amount_minor=5_000)
    for amount in (100, 200):
        returns.request_refund(
            payment_id=payment.pk, amount=Minor(amount), reason="x", made_by=olga
        )
        outbox.deliver_due(notices.DELIVERIES)
    deliver(keyed.endpoint)
    told = [json.loads(body) for _, body in receiver.got]
    assert [one["type"] for one in told] == ["payment.paid"] + ["payment.refunded"] * 2
    numbers = [one["sequence"] for one in told]
    assert numbers == sorted(set(numbers))


def test_what_is_told_is_the_state_of_that_moment(keyed, receiver, alice, olga):
    top_up(alice, 5_000)
    payment = Payment.objects.get(amount_minor=5_000)
    returns.record_chargeback(payment_id=payment.pk, reason="x", made_by=olga)
    deliver(keyed.endpoint)
    told = [json.loads(body)["data"]["status"] for _, body in receiver.got]
    assert told == ["paid", "refunded"]


# --- At least once --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 400, 404, 500])
def test_what_is_not_taken_comes_again_with_the_same_id(keyed, receiver, alice, status):
    top_up(alice, 5_000)
    receiver.status, receiver.body = status, b"no\n  room"
    receiver.headers = {"Location": receiver.url + "/else"}
    deliver(keyed.endpoint)
    message = only_message()
    assert (message.status, message.attempts) == (Status.QUEUED, 1)
    assert message.last_error == f"HTTP {status} no room"
    assert WebhookDelivery.objects.get().response_code == status
    receiver.status, receiver.body = 200, b""
    make_due()
    deliver(keyed.endpoint)
    assert only_message().status == Status.DELIVERED
    first, second = ({**h, "webhook-timestamp": 0} for h, _ in receiver.got)
    assert first["webhook-id"] == second["webhook-id"]
    assert receiver.got[0][1] == receiver.got[1][1]
    assert len(receiver.got) == 2  # no redirect was followed


def test_a_receiver_that_is_not_there_is_tried_again(keyed, olga, alice):
    with listening() as gone:
        url = gone.url
    away = endpoint_at(url, olga)
    top_up(alice, 5_000)
    deliver(away.endpoint)
    delivery = away.endpoint.deliveries.get()
    assert delivery.message.status == Status.QUEUED
    assert "ConnectError" in delivery.message.last_error
    assert delivery.response_code is None
    assert delivery.attempted_at is not None


def test_where_nobody_answers_the_whole_lane_waits_and_each_pause_is_longer(olga, alice):
    with listening() as gone:
        url = gone.url
    away = endpoint_at(url, olga).endpoint
    for amount in (1, 2, 3):
        top_up(alice, amount)
    waits = []
    for _ in range(3):
        assert deliver(away) == 1  # the others were put off with it
        waits.append((reread(away).paused_until - timezone.now()).total_seconds())
        make_due()
    assert [round(wait) for wait in waits] == [5, 10, 20]
    top_up(alice, 4)  # during the pause: it does not knock either
    newest = OutboxMessage.objects.filter(topic="webhook").latest("created_at")
    assert newest.due_at == reread(away).paused_until


def test_a_message_that_is_refused_does_not_hold_up_the_next(keyed, receiver, alice):
    top_up(alice, 1)
    receiver.status = 400
    deliver(keyed.endpoint)
    receiver.status = 200
    top_up(alice, 2)
    assert deliver(keyed.endpoint) == 1
    assert reread(keyed.endpoint).failures == 0


def test_retry_after_is_heeded_within_an_hour(keyed, receiver, alice):
    for header, least, most in (("120", 115, 125), ("999999", 3590, 3605), ("soon", 3, 60)):
        top_up(alice, most)
        receiver.status, receiver.headers = 429, {"Retry-After": header}
        OutboxMessage.objects.filter(topic="webhook").exclude(attempts=0).delete()
        make_due()
        deliver(keyed.endpoint)
        wait = (only_message().due_at - timezone.now()).total_seconds()
        assert least <= wait <= most


def test_a_receiver_that_drips_is_left_after_the_time_out(keyed, receiver, alice, monkeypatch):
    monkeypatch.setattr(post, "TIMEOUT_S", 0.5)
    receiver.drip = True
    top_up(alice, 5_000)
    begun = time.monotonic()
    deliver(keyed.endpoint)
    assert time.monotonic() - begun < 5
    assert "no answer within 0.5 s" in only_message().last_error


def test_of_a_long_answer_only_the_beginning_is_read(keyed, receiver, alice):
    receiver.status, receiver.body = 500, b"x" * 5_000_000
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    assert len(only_message().last_error) < 400


def test_one_endpoint_that_fails_does_not_repeat_the_others(keyed, receiver, alice, olga):
    with listening(status=500) as broken:
        bad = endpoint_at(broken.url, olga)
        top_up(alice, 5_000)
        for _ in range(3):
            deliver(keyed.endpoint)
            deliver(bad.endpoint)
            OutboxMessage.objects.filter(status=Status.QUEUED).update(due_at=timezone.now())
        assert (len(receiver.got), len(broken.got)) == (1, 3)
        assert receiver.got[0][0]["webhook-id"] == broken.got[0][0]["webhook-id"]


# --- Nobody else waits ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_slow_endpoint_holds_up_neither_others_nor_the_rest_of_the_outbox(olga, alice):
    with listening() as quick, listening(wait_s=30) as slow:
        endpoint_at(slow.url, olga)
        fast = endpoint_at(quick.url, olga)
        lanes = outbox.Lanes(notices.DELIVERIES)
        for amount in (1, 2, 3):
            top_up(alice, amount)
        OutboxMessage.objects.create(
            key="a", topic="alert.opened", payload={"alert": 1, "text": "x"}
        )
        begun = time.monotonic()
        assert lanes.run_due(timezone.now()) == 2
        assert outbox.deliver_due(notices.DELIVERIES) == 1
        wait_until(lambda: len(quick.got) == 3)
        assert time.monotonic() - begun < 10
        wait_until(lambda: len(slow.got) == 1)
        assert lanes.run_due(timezone.now()) == 0  # the slow lane is served by one thread only
        slow.closing.set()
        lanes.join(10)
        assert quick.verified(fast.secret)["type"] == "payment.paid"
        wait_until(lambda: len(slow.got) == 3)
        lanes.join(10)


@pytest.mark.django_db(transaction=True)
def test_of_lanes_only_so_many_are_served_at_once(olga, alice):
    with listening(wait_s=30) as slow:
        for _ in range(3):
            endpoint_at(slow.url, olga)
        top_up(alice, 1)
        lanes = outbox.Lanes(notices.DELIVERIES, at_once=2)
        assert lanes.run_due(timezone.now()) == 2
        wait_until(lambda: len(slow.got) == 2)
        assert lanes.run_due(timezone.now()) == 0
        slow.closing.set()
        lanes.join(10)
        assert lanes.run_due(timezone.now()) == 1
        lanes.join(10)
        assert len(slow.got) == 3


def test_the_common_lane_leaves_the_others_alone(keyed, receiver, alice):
    top_up(alice, 5_000)
    assert outbox.deliver_due(notices.DELIVERIES) == 0
    assert receiver.got == []
    assert outbox.due_lanes(timezone.now()) == [keyed.endpoint.lane]


# --- Switched off ---------------------------------------------------------------------------------


def fail_for(endpoint, **ago):
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failures=20, failing_since=timezone.now() - dt.timedelta(**ago)
    )


def test_an_endpoint_that_fails_for_days_is_switched_off_with_one_alert(
    keyed, receiver, alice, olga
):
    receiver.status = 500
    top_up(alice, 1)
    top_up(alice, 2)
    fail_for(keyed.endpoint, days=2, hours=23)
    deliver(keyed.endpoint)
    assert reread(keyed.endpoint).enabled
    make_due()
    fail_for(keyed.endpoint, days=3)
    deliver(keyed.endpoint)
    assert not reread(keyed.endpoint).enabled
    told = OutboxMessage.objects.filter(topic="webhook")
    assert {row.status for row in told} == {Status.FAILED}
    outbox.deliver_due(notices.DELIVERIES)
    alert = Alert.objects.get(kind="webhook_off")
    assert "3 days" in alert.text
    assert alert.resolved_at is None
    top_up(alice, 3)
    assert told.count() == 2  # nothing is kept for it now
    receiver.status = 200
    endpoints.change_endpoint(endpoint_id=keyed.endpoint.pk, changes={"enabled": True}, by=olga)
    outbox.deliver_due(notices.DELIVERIES)
    assert reread(alert).resolved_at is not None
    assert endpoints.send_failed_again(endpoint_id=keyed.endpoint.pk, by=olga) == 2
    receiver.got.clear()
    deliver(keyed.endpoint)
    assert len(receiver.got) == 2
    assert reread(keyed.endpoint).failing_since is None


def test_gone_switches_it_off_at_once(keyed, receiver, alice):
    receiver.status = 410
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    assert not reread(keyed.endpoint).enabled
    assert only_message().status == Status.FAILED


def test_one_success_forgives_all_failures(keyed, receiver, alice):
    fail_for(keyed.endpoint, days=10)
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    row = reread(keyed.endpoint)
    assert (row.enabled, row.failures, row.failing_since) == (True, 0, None)


def test_what_waits_when_staff_switch_it_off_is_not_sent(keyed, receiver, alice, olga):
    top_up(alice, 5_000)
    endpoints.change_endpoint(endpoint_id=keyed.endpoint.pk, changes={"enabled": False}, by=olga)
    make_due()
    assert deliver(keyed.endpoint) == 0
    assert receiver.got == []


# --- What staff do --------------------------------------------------------------------------------


def test_after_a_rotation_both_secrets_verify_for_a_time(keyed, receiver, alice, olga):
    new = endpoints.rotate_secret(endpoint_id=keyed.endpoint.pk, by=olga)
    assert new.secret != keyed.secret
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    assert receiver.got[0][0]["webhook-signature"].count("v1,") == 2
    assert receiver.verified(keyed.secret) == receiver.verified(new.secret)
    WebhookEndpoint.objects.update(old_secret_until=timezone.now())
    top_up(alice, 6_000)
    deliver(keyed.endpoint)
    receiver.verified(new.secret)
    with pytest.raises(WebhookVerificationError):
        receiver.verified(keyed.secret)


def test_a_secret_is_in_no_column_that_can_be_read(keyed):
    row = WebhookEndpoint.objects.values().get()
    raw = keyed.secret.removeprefix("whsec_")
    assert raw not in json.dumps(row, default=str)


def test_a_secret_of_another_secret_key_says_so_and_a_rotation_mends_it(
    keyed, receiver, alice, olga, settings
):
    settings.SECRET_KEY = "another"
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    assert "another SECRET_KEY" in only_message().last_error
    assert receiver.got == []
    new = endpoints.rotate_secret(endpoint_id=keyed.endpoint.pk, by=olga)
    WebhookEndpoint.objects.update(old_secret="", old_secret_until=None)
    make_due()
    deliver(keyed.endpoint)
    receiver.verified(new.secret)


def test_a_fallback_of_the_secret_key_still_opens_secrets(keyed, receiver, alice, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next one"
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    receiver.verified(keyed.secret)


def test_a_test_goes_to_its_endpoint_only_also_when_it_is_off(keyed, receiver, olga):
    with listening() as other:
        off = endpoint_at(other.url, olga, "session.started", enabled=False)
        endpoints.send_test(endpoint_id=off.endpoint.pk, by=olga)
        deliver(off.endpoint)
        assert other.verified(off.secret)["type"] == "webhook.test"
    assert deliver(keyed.endpoint) == 0


def test_a_test_that_fails_is_not_repeated_and_counts_for_nothing(keyed, receiver, olga):
    receiver.status = 503
    endpoints.send_test(endpoint_id=keyed.endpoint.pk, by=olga)
    deliver(keyed.endpoint)
    assert only_message().status == Status.FAILED
    assert reread(keyed.endpoint).failures == 0
    assert WebhookDelivery.objects.get().response_code == 503


def test_a_delivery_is_sent_again_by_a_button_with_the_same_id(keyed, receiver, alice, olga):
    top_up(alice, 5_000)
    delivery = WebhookDelivery.objects.get()
    with pytest.raises(Conflict):  # it is under way
        endpoints.send_again(delivery_id=delivery.pk, by=olga)
    deliver(keyed.endpoint)
    endpoints.send_again(delivery_id=delivery.pk, by=olga, reason="they lost it")
    deliver(keyed.endpoint)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2
    assert "they lost it" in LogEntry.objects.latest("pk").change_message


def test_to_an_endpoint_that_is_off_nothing_is_sent_again(keyed, alice, olga):
    top_up(alice, 5_000)
    endpoints.change_endpoint(endpoint_id=keyed.endpoint.pk, changes={"enabled": False}, by=olga)
    delivery = WebhookDelivery.objects.get()
    with pytest.raises(Conflict):
        endpoints.send_again(delivery_id=delivery.pk, by=olga)
    with pytest.raises(Conflict):
        endpoints.send_failed_again(endpoint_id=keyed.endpoint.pk, by=olga)


def test_a_removed_endpoint_leaves_nothing_to_send(keyed, receiver, alice, olga):
    top_up(alice, 5_000)
    endpoints.remove_endpoint(endpoint_id=keyed.endpoint.pk, by=olga, reason="moved")
    assert not OutboxMessage.objects.filter(topic="webhook").exists()
    with pytest.raises(NotFound):
        endpoints.remove_endpoint(endpoint_id=keyed.endpoint.pk, by=olga)
    entry = LogEntry.objects.latest("pk")
    assert (entry.user, entry.change_message) == (olga, "moved")


def test_a_message_whose_endpoint_went_meanwhile_is_given_up(keyed, receiver, alice):
    top_up(alice, 5_000)
    message = only_message()
    WebhookDelivery.objects.all().delete()
    with pytest.raises(outbox.GivenUp):
        delivering.deliver(message)
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hook",
        "ftp://example.org/",
        "https://",
        "https:///hook",
        "https://user:pass@example.org/",
        "https://example.org/#part",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\x00",
        "https://[::1/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0.0.0.0/",
        "http://10.0.0.1/",
        "http://93.184.216.34/",
    ],
)
def test_an_address_that_webhooks_may_not_go_to_is_refused(olga, url):
    with pytest.raises(Invalid) as refusal:
        endpoint_at(url, olga)
    assert set(refusal.value.fields) == {"url"}
    assert not WebhookEndpoint.objects.exists()


def test_without_networks_of_our_own_only_https_is_taken(olga, settings):
    settings.CSMS_WEBHOOK_NETWORKS = []
    with pytest.raises(Invalid):
        endpoint_at("http://example.org/", olga)
    endpoint_at("https://example.org/", olga)


@pytest.mark.parametrize("types", [["session.sold"], ["webhook.test"], []])
def test_events_that_are_none_cannot_be_chosen(olga, types):
    with pytest.raises(Invalid) as refusal:
        endpoints.add_endpoint(
            facts=EndpointFacts(url="https://example.org/", event_types=types), by=olga
        )
    assert set(refusal.value.fields) == {"event_types"}


def test_there_is_a_bound_on_endpoints(olga, monkeypatch):
    monkeypatch.setattr(endpoints, "MAX_ENDPOINTS", 1)
    endpoint_at("https://example.org/", olga)
    with pytest.raises(Conflict):
        endpoint_at("https://example.org/", olga)


# --- The API --------------------------------------------------------------------------------------


def test_the_secret_is_told_once(as_olga, receiver):
    made = as_olga.post("/webhooks/endpoints", {"url": receiver.url, "description": "ERP"})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert made.json()["event_types"] == EventType.values
    address = f"/webhooks/endpoints/{made.json()['id']}"
    assert "secret" not in as_olga.get(address).json()
    assert "whsec_" not in as_olga.get("/webhooks/endpoints").text


def test_an_endpoint_is_changed_tried_and_removed_over_the_api(as_olga, receiver, olga):
    made = as_olga.post("/webhooks/endpoints", {"url": receiver.url}).json()
    address = f"/webhooks/endpoints/{made['id']}"
    changed = as_olga.patch(address, {"event_types": ["payment.paid"], "reason": "less"})
    assert changed.json()["event_types"] == ["payment.paid"]
    tried = as_olga.post(f"{address}/test")
    assert (tried.status_code, tried.json()["status"]) == (202, "queued")
    deliver(WebhookEndpoint.objects.get())
    (shown,) = as_olga.get(f"/webhooks/deliveries?endpoint_id={made['id']}").json()["results"]
    assert (shown["status"], shown["response_code"], shown["attempts"]) == ("delivered", 204, 1)
    assert shown["event_id"] == receiver.got[0][0]["webhook-id"]
    again = as_olga.post(f"/webhooks/deliveries/{shown['id']}/send_again")
    assert again.status_code == 202
    new = as_olga.post(f"{address}/rotate_secret").json()
    assert new["secret"] != made["secret"]
    assert new["old_secret_until"]
    assert as_olga.delete(f"{address}?reason=over").status_code == 204
    assert as_olga.get(address).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "http://10.0.0.1/"},
        {"url": "https://example.org/", "event_types": ["nothing"]},
        {"url": "https://example.org/", "event_types": []},
        {"url": "https://example.org/", "enabled": "perhaps"},
        {"url": 7, "description": "x" * 201},
    ],
)
def test_a_wrong_body_makes_no_endpoint(as_olga, body):
    answer = as_olga.post("/webhooks/endpoints", body)
    assert answer.status_code == 400
    assert answer.json()["fields"]
    assert not WebhookEndpoint.objects.exists()


def test_what_is_not_there_is_not_found(as_olga):
    nobody = uuid.uuid4()
    assert as_olga.patch(f"/webhooks/endpoints/{nobody}", {}).status_code == 404
    assert as_olga.post(f"/webhooks/endpoints/{nobody}/test").status_code == 404
    assert as_olga.post(f"/webhooks/deliveries/{nobody}/send_again").status_code == 404


def test_deliveries_are_narrowed_by_state_and_type(as_olga, keyed, alice):
    top_up(alice, 5_000)

    def count(query):
        return as_olga.get(f"/webhooks/deliveries?{query}").json()["count"]

    assert count("status=queued") == count("type=payment.paid") == 1
    assert count("status=failed") == count("type=payment.failed") == 0
    assert as_olga.get("/webhooks/deliveries?endpoint_id=x").status_code == 400


def test_the_example_of_the_document_verifies_and_refuses(keyed, receiver, alice, settings):
    page = (settings.BASE_DIR / "docs" / "webhooks.md").read_text()
    example = {}
    exec(page.split("```python\n")[1].split("```")[0], example)
    top_up(alice, 5_000)
    deliver(keyed.endpoint)
    headers, body = receiver.got[0]
    example["verify"](keyed.secret, headers, body)
    old = headers | {"webhook-timestamp": "1674087231"}
    for wrong in ((headers, body + b" "), (old, body), (headers | {"webhook-id": "x"}, body)):
        with pytest.raises(ValueError, match=r"signed|old"):
            example["verify"](keyed.secret, *wrong)


def test_every_type_is_on_the_page(settings):
    page = (settings.BASE_DIR / "docs" / "webhooks.md").read_text()
    assert [one for one in EventType.values if f"`{one}`" not in page] == []
