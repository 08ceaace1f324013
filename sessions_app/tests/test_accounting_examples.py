"""The stories of docs/accounting.md: what a session does to the books."""

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from billing.models import Account, Transfer, User
from billing.money import to_minor, to_text
from sessions_app.models import ChargingSession, IdTag
from sessions_app.services import expire, review, stop
from sessions_app.services.raise_limit import raise_limit

PAGE = Path(__file__).parents[2] / "docs" / "accounting.md"
SECTION = re.compile(r"^### (.+?)$|^```json\n(.+?)^```", re.MULTILINE | re.DOTALL)


def stories() -> list:
    """Each JSON block with a story, under the heading that it stands below."""
    found, heading = [], ""
    for title, block in SECTION.findall(PAGE.read_text()):
        heading = title or heading
        if block and "story" in (story := json.loads(block)):
            found.append(pytest.param(story, id=heading))
    return found


def settled(stage, driver, story) -> ChargingSession:
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, story["energy_wh"])
    stage.end(session.transaction_id)
    return session


def corrected(stage, driver, story) -> ChargingSession:
    """The station falls silent, the session is ended without it, and then it tells its meter."""
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, story["energy_wh"])
    stage.stop(session, driver)
    expire.run_due(stage.now + dt.timedelta(hours=1))
    later = story["corrected_wh"] - story["energy_wh"]
    stage.end(session.transaction_id, register_wh=stage.register_wh + later)
    return session


def raised(stage, driver, story) -> ChargingSession:
    session = stage.charge(driver)
    raise_limit(session_id=session.pk, actor=driver, limit_value=Decimal(story["limit"]))
    stage.deliver(session.transaction_id, story["energy_wh"])
    stage.end(session.transaction_id)
    return session


def unfunded(stage, driver, story) -> ChargingSession:
    IdTag.objects.create(id_tag="CARD", identity="card", user=driver)
    verdict = stage.begin("CARD", at=stage.now - dt.timedelta(hours=1))
    stage.register_wh += story["energy_wh"]
    stage.end(verdict.transaction_id, reason="Local")
    return ChargingSession.objects.get(transaction_id=verdict.transaction_id)


def reviewed(stage, driver, story) -> ChargingSession:
    """More than the station's power allows in an hour: an operator decides."""
    stage.station.max_power_kw = story["max_power_kw"]
    stage.station.save()
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, story["energy_wh"], seconds=3_600)
    stage.end(session.transaction_id)
    decision = {"session_id": session.pk, "actor": operator(), "reason": "looked at it"}
    if "stated" in story:
        review.settle_with(amount=to_minor(Decimal(story["stated"])), **decision)
    elif "measured_wh" in story:
        register_wh = int(session.meter_start_wh) + story["measured_wh"]
        stop.force_end(meter_stop_wh=register_wh, **decision)
    else:
        review.release(**decision)
    return session


def operator() -> User:
    return User.objects.create_user("operator", is_staff=True)


STORIES = {
    "settled": settled,
    "corrected": corrected,
    "raised": raised,
    "unfunded": unfunded,
    "reviewed": reviewed,
}


def transfers_of(session) -> list[list[str]]:
    rows = Transfer.objects.filter(reference=session.reference).order_by("created_at")
    return [
        [row.kind, row.code, row.debit.kind, row.credit.kind, to_text(row.amount_minor)]
        for row in rows.select_related("debit", "credit")
    ]


def balance_of(kind: str, driver) -> str:
    rows = Account.objects.filter(kind=kind)
    if kind == Account.Kind.CUSTOMER:
        rows = rows.filter(owner=driver)
    return to_text(sum(row.balance_minor for row in rows))


@pytest.mark.parametrize("story", stories())
def test_a_story_is_true(stage, tariff, alice, bob, story):
    tariff.vat_percent = Decimal(12)
    tariff.save()
    driver = bob if story["story"] == "unfunded" else alice
    session = STORIES[story["story"]](stage, driver, story)
    assert transfers_of(session) == story["transfers"]
    assert {kind: balance_of(kind, driver) for kind in story["balances"]} == story["balances"]


def test_the_page_tells_each_story():
    assert {story.values[0]["story"] for story in stories()} == set(STORIES)
