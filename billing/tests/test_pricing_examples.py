"""The worked examples of docs/accounting.md."""

import datetime as dt
import json
import re
import zoneinfo
from decimal import Decimal
from pathlib import Path

import pytest

from billing.energy import Wh
from billing.models import Tariff
from billing.pricing import Period, price

PAGE = Path(__file__).parents[2] / "docs" / "accounting.md"
SECTION = re.compile(r"^### (.+?)$|^```json\n(.+?)^```", re.MULTILINE | re.DOTALL)
TERMS = ("min_price", "max_price", "parking_grace_s")


def examples() -> list:
    """Each JSON block with a bill, under the heading that it stands below."""
    found, heading = [], ""
    for title, block in SECTION.findall(PAGE.read_text()):
        heading = title or heading
        if block and "bill" in (example := json.loads(block)):
            found.append(pytest.param(example, id=heading))
    return found


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def tariff_of(raw) -> Tariff:
    stated = raw.get("price_per_kwh")
    return Tariff(
        currency=raw["currency"],
        price_per_kwh=None if stated is None else Decimal(stated),
        vat_percent=Decimal(raw.get("vat_percent", "0")),
        elements=raw.get("elements", []),
        terms={name: raw[name] for name in TERMS if name in raw},
    )


@pytest.mark.parametrize("example", examples())
def test_a_worked_example_is_true(example):
    periods = [
        Period(
            moment(one["start"]),
            moment(one["end"]),
            Wh(one["energy_wh"]),
            state=one.get("state", "charging"),
        )
        for one in example["periods"]
    ]
    zone = zoneinfo.ZoneInfo(example["time_zone"])
    assert (
        price(tariff_of(example["tariff"]).to_terms(), periods, zone).to_json() == example["bill"]
    )


def test_the_page_has_an_example_for_each_topic():
    assert len(examples()) == 10
