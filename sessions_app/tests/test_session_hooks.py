"""What the operator's systems are told of sessions: each move, as the API shows it then."""

import re
from pathlib import Path

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from billing.hooks import endpoints
from billing.hooks.endpoints import EndpointFacts
from billing.models import OutboxMessage, WebhookDelivery, WebhookEvent
from sessions_app import services
from sessions_app.models import ChargingSession
from sessions_app.services import review
from sessions_app.services.moves import TOLD
from sessions_app.services.settle import settle_on_last_reading
from stations.tests.cast import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]


@pytest.fixture
def endpoint(olga, alice):
    """One that wants everything, from after alice has paid."""
    facts = EndpointFacts(url="https://erp.example/")
    return endpoints.add_endpoint(facts=facts, by=olga).endpoint


def told():
    return list(WebhookEvent.objects.order_by("number"))


def types():
    return [event.type for event in told()]


@pytest.fixture
def shown(olga):
    """What the API shows of a session now."""
    client: APIClient = signed_in(olga)
    return lambda session: client.get(f"/ocpp/sessions/{session.pk}").json()


def test_a_charge_is_told_step_by_step_as_the_api_shows_it(stage, alice, endpoint, shown):
    session = stage.charge(alice, "amount", "500")
    assert types() == ["session.started"]
    assert told()[-1].data == shown(session)
    stage.deliver(session.transaction_id, 1500)
    stage.stop(session, alice)
    assert types()[1:] == ["session.stopping"]
    assert told()[-1].data == shown(session)
    stage.end(session.transaction_id)
    assert types()[2:] == ["session.completed"]
    assert told()[-1].data == shown(session)
    assert told()[-1].data["cost"] == "18.75"
    assert {event.reference for event in told()} == {session.reference}
    assert WebhookDelivery.objects.count() == 3
    assert set(OutboxMessage.objects.filter(topic="webhook").values_list("lane", flat=True)) == {
        endpoint.lane
    }


def test_a_late_stop_is_told_as_a_correction(stage, alice, endpoint, shown):
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 1500)
    with transaction.atomic():
        settle_on_last_reading(ChargingSession.objects.locked(session.pk), reason="lost")
    assert types()[-1] == "session.completed"
    stage.register_wh += 500
    stage.end(session.transaction_id)
    assert types()[-1] == "session.corrected"
    assert told()[-1].data == shown(session)
    assert told()[-1].data["status"] == "completed"


def test_a_review_and_its_end_are_told(powered, alice, endpoint, olga, shown):
    session = powered.charge(alice, "amount", "500")
    powered.deliver(session.transaction_id, 100_000, seconds=10)
    powered.end(session.transaction_id)
    assert types()[-1] == "session.review"
    assert told()[-1].data == shown(session)
    review.release(session_id=session.pk, actor=olga, reason="test")
    assert types()[-1] == "session.completed"
    assert told()[-1].data["cost"] == "0.00"


def test_a_start_that_fails_is_told(stage, alice, endpoint, shown):
    session = stage.ask(alice, value="500")
    stage.answer(stage.take_command(), "Rejected")
    assert types() == ["session.error"]
    assert told()[-1].data["error_code"] == "station_rejected"
    assert told()[-1].data == shown(session)


def test_a_start_without_money_is_told(stage, bob, endpoint, shown):
    session = stage.ask(bob, value="500")
    assert types() == ["session.error"]
    assert told()[-1].data == shown(session)
    assert told()[-1].data["error_code"] == "insufficient_funds"


def test_a_stop_that_the_station_refuses_is_told(stage, alice, endpoint):
    session = stage.charge(alice, "amount", "500")
    stage.stop(session, alice)
    stage.answer(stage.take_command(), "Rejected")
    assert types() == ["session.started", "session.stopping", "session.resumed"]


def test_a_repeated_stop_transaction_tells_once(stage, alice, endpoint):
    session = stage.charge(alice, "amount", "500")
    for _ in range(2):
        stage.end(session.transaction_id)
    assert types().count("session.completed") == 1
    assert "session.corrected" not in types()


def test_a_reading_tells_nothing(stage, alice, endpoint):
    session = stage.charge(alice, "amount", "500")
    before = len(told())
    for _ in range(3):
        stage.deliver(session.transaction_id, 100)
    assert len(told()) == before


def test_without_an_endpoint_nothing_is_written(stage, alice):
    session = stage.charge(alice, "amount", "500")
    stage.end(session.transaction_id)
    assert told() == []


def test_every_use_case_moves_sessions_by_the_one_way_that_tells():
    for file in Path(services.__file__).parent.glob("*.py"):
        calls = re.findall(r"\.move_to\(", file.read_text())
        assert len(calls) == (file.stem == "moves"), f"{file.name}: use moves.move"


def test_only_a_start_that_the_station_has_not_begun_is_not_told():
    assert set(ChargingSession.status.field.choices) - {
        (status.value, status.label) for status in TOLD
    } == {("requested", "requested"), ("starting", "starting")}
