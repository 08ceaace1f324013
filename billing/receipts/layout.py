"""A stored receipt in words of one language: what paper and screen both show."""

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from ..models import FiscalRegistration, Receipt
from . import write
from .languages import LANGUAGES, Language
from .snapshot import BillLine, Seller, Snapshot


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its value; what matters most `is_strong`."""

    label: str
    value: str
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the bill."""

    what: str
    quantity: str
    unit_price: str
    amount: str


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that is shown, in the order it is shown."""

    language: Language
    issued_at: dt.datetime
    title: str
    subtitle: str
    seller: Seller
    facts: tuple[Row, ...]
    items: tuple[Item, ...]
    totals: tuple[Row, ...]
    result: Row
    notes: tuple[str, ...]
    farewell: str
    fiscal: Row | None
    qr_text: str


def lay_out(receipt: Receipt, language_code: str) -> Document:
    """Put a receipt in words. Its snapshot and its registration alone decide what they say."""
    snapshot: Snapshot = receipt.snapshot
    language = LANGUAGES[language_code]
    registration = FiscalRegistration.objects.filter(receipt=receipt).first()
    issued_at = dt.datetime.fromisoformat(snapshot["issued_at"])
    zone = zoneinfo.ZoneInfo(snapshot["sale"]["time_zone"])
    is_correction = snapshot["corrects"] is not None
    kind = language.correction if is_correction else language.receipt
    return Document(
        language=language,
        issued_at=issued_at,
        title=f"{kind} {language.number}{write.NO_BREAK}{number_text(snapshot['number'])}",
        subtitle=f"{language.issued_at} {write.moment(issued_at.astimezone(zone), language)}",
        seller=snapshot["seller"],
        facts=tuple(_facts(snapshot, zone, language)),
        items=tuple(_item(line, snapshot["currency"], language) for line in snapshot["lines"]),
        totals=tuple(_totals(snapshot, language)),
        result=_result(snapshot, language),
        notes=tuple(_notes(snapshot, language)),
        farewell="" if is_correction else language.thanks,
        fiscal=Row(language.fiscal_number, registration.fiscal_number) if registration else None,
        qr_text=registration.qr_text if registration else "",
    )


def number_text(number: int) -> str:
    return f"{number:06}"


def _facts(snapshot: Snapshot, zone: zoneinfo.ZoneInfo, language: Language) -> Iterator[Row]:
    sale = snapshot["sale"]
    if corrected := snapshot["corrects"]:
        issued_at = dt.datetime.fromisoformat(corrected["issued_at"])
        date = issued_at.astimezone(zone).strftime(language.date)
        number = f"{language.number}{write.NO_BREAK}{number_text(corrected['number'])}"
        yield Row(language.corrects, f"{number}, {date}", is_strong=True)
    yield Row(language.place, sale["place"])
    if sale["address"]:
        yield Row(language.address, sale["address"])
    if sale["connector"] is not None:
        yield Row(language.connector, str(sale["connector"]))
    yield Row(language.time, _time(snapshot, zone, language))
    energy = write.quantity(sale["energy_kwh"], language)
    yield Row(language.energy, f"{energy}{write.NO_BREAK}{language.units['kWh']}")
    if tariff := _tariff(snapshot, language):
        yield Row(language.tariff, tariff)


def _time(snapshot: Snapshot, zone: zoneinfo.ZoneInfo, language: Language) -> str:
    """From when to when, with the date of the end only where it is another one."""
    sale = snapshot["sale"]
    started_at, ended_at = (
        dt.datetime.fromisoformat(sale[at]).astimezone(zone) for at in ("started_at", "ended_at")
    )
    start, end = (write.clock(at, language) for at in (started_at, ended_at))
    if started_at.date() == ended_at.date():
        end = f"{ended_at:%H:%M}"
    length = write.duration(ended_at - started_at, language)
    return f"{start} {write.EN_DASH} {end} ({length})"


def _tariff(snapshot: Snapshot, language: Language) -> str:
    sale, currency = snapshot["sale"], snapshot["currency"]
    if sale["tariff"] or sale["price_per_kwh"] is None:
        return sale["tariff"]
    return f"{write.money(sale['price_per_kwh'], currency, language)}/{language.units['kWh']}"


def _item(line: BillLine, currency: str, language: Language) -> Item:
    quantity = write.quantity(line["quantity"], language)
    return Item(
        what=language.lines[line["type"]],
        quantity=f"{quantity}{write.NO_BREAK}{language.units[line['unit']]}",
        unit_price=write.number(line["unit_price"], language),
        amount=write.number(line["amount"], language),
    )


def _totals(snapshot: Snapshot, language: Language) -> Iterator[Row]:
    """From what was priced to what was paid, each step on its own line."""
    currency = snapshot["currency"]
    total, paid = Decimal(snapshot["total"]), Decimal(snapshot["paid"])
    yield Row(language.total, write.money(snapshot["total"], currency, language), is_strong=True)
    if total > paid:
        yield Row(language.not_charged, write.money(f"{paid - total}", currency, language))
    if corrected := snapshot["corrects"]:
        yield Row(language.paid_in_all, write.money(snapshot["paid"], currency, language))
        yield from _tax(snapshot, language)
        before = corrected["paid_before"]
        yield Row(language.paid_before, write.money(before, currency, language))


def _result(snapshot: Snapshot, language: Language) -> Row:
    """What the document is about: what was paid, or by how much that changed."""
    corrected, paid = snapshot["corrects"], Decimal(snapshot["paid"])
    if corrected is None:
        label, amount = language.paid, paid
    else:
        difference = paid - Decimal(corrected["paid_before"])
        label = language.collected if difference > 0 else language.returned
        amount = abs(difference)
    return Row(label, write.money(f"{amount}", snapshot["currency"], language), is_strong=True)


def _notes(snapshot: Snapshot, language: Language) -> Iterator[str]:
    if snapshot["corrects"]:
        yield language.correction_note
    else:
        yield from (f"{tax.label}: {tax.value}" for tax in _tax(snapshot, language))


def _tax(snapshot: Snapshot, language: Language) -> Iterator[Row]:
    """The tax in what was paid, where there is any."""
    if Decimal(snapshot["tax"]):
        tax = write.money(snapshot["tax"], snapshot["currency"], language)
        yield Row(_tax_label(snapshot["lines"], language), tax)


def _tax_label(lines: list[BillLine], language: Language) -> str:
    """Name the rate where there is one for all lines."""
    rates = {line.get("vat_percent") for line in lines}
    rate = rates.pop() if len(rates) == 1 else None
    return language.vat.format(percent=write.number(rate, language)) if rate else language.tax
