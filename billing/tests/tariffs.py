"""Tariffs and sessions in few words, for the tests of pricing."""

import datetime as dt
import zoneinfo
from decimal import Decimal

from billing.energy import Wh
from billing.pricing import Period, Terms, parse_terms, price

UTC = zoneinfo.ZoneInfo("UTC")
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
BISHKEK = zoneinfo.ZoneInfo("Asia/Bishkek")
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def component(kind, unit_price, *, vat=0, step=1):
    return {"type": kind, "price": unit_price, "vat": vat, "step_size": step}


def element(*components, **restrictions):
    made = {"price_components": list(components)}
    return made | ({"restrictions": restrictions} if restrictions else {})


def tariff(*elements, **more) -> Terms:
    return parse_terms(currency="EUR", elements=list(elements), more=more)


def plain(price_per_kwh="12.50", vat="0", **more) -> Terms:
    return parse_terms(
        currency="KGS",
        price_per_kwh=Decimal(price_per_kwh),
        vat_percent=Decimal(vat),
        more=more,
    )


def moment(text: str, zone=UTC) -> dt.datetime:
    """A local time such as "2026-01-05 09:30", in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(dt.UTC)


def session(start: dt.datetime, *stretches) -> list[Period]:
    """Periods that follow each other: (minutes, kWh) charging, or (minutes, "parking")."""
    periods = []
    for minutes, what in stretches:
        end = start + dt.timedelta(minutes=minutes)
        energy = Wh(0) if what == "parking" else Wh(int(Decimal(str(what)) * 1000))
        state = "parking" if what == "parking" else "charging"
        periods.append(Period(start, end, energy, state=state))
        start = end
    return periods


def lines(bill) -> list[str]:
    """A bill as a reader sees it: one text a line."""
    return [
        f"{one['type']} {one['quantity']} {one['unit']} x {one['unit_price']} = {one['amount']}"
        for one in bill.to_json()["lines"]
    ]


def total(terms: Terms, periods: list[Period], zone=UTC) -> str:
    return price(terms, periods, zone).to_json()["total"]
