"""How the back office writes money, energy, links and tables."""

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..money import to_text

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Text: TypeAlias = "str | _StrPromise"
EMPTY = "—"
Column = Callable[[Any], str]


def money(amount_minor: int | None) -> str:
    """Write minor units with the currency: 50000 is "500.00 KGS"."""
    return EMPTY if amount_minor is None else f"{to_text(amount_minor)} {settings.CSMS_CURRENCY}"


def energy(energy_wh: int | Decimal | None) -> str:
    """Write watt-hours as kilowatt-hours: 40000 is "40.000 kWh"."""
    return EMPTY if energy_wh is None else f"{Decimal(energy_wh).scaleb(-3):.3f} kWh"


def money_column(field: str, label: Text) -> Column:
    """A column or a line of a page that shows a field of minor units as money."""
    return _column(field, label, money)


def energy_column(field: str, label: Text) -> Column:
    """A column or a line of a page that shows a field of watt-hours as energy."""
    return _column(field, label, energy)


def link(row: Model, text: str = "") -> SafeString:
    """A link to the page of a row."""
    route = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html(
        '<a href="{}" class="text-link">{}</a>', reverse(route, args=[row.pk]), text or str(row)
    )


def list_link(model: type[Model], query: str, text: Text) -> SafeString:
    """A link to a filtered list."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?{}" class="text-link">{}</a>', address, query, text)


def table(headers: Sequence[Text], rows: Iterable[Sequence[object]]) -> SafeString:
    """A small table on the page of a row."""
    body = {"headers": list(headers), "rows": [list(row) for row in rows]}
    return render_to_string("unfold/components/table.html", {"table": body})


def json_text(value: Any) -> SafeString:
    """JSON as it can be read."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text)


def _column(field: str, label: Text, write: Callable[[Any], str]) -> Column:
    def column(row: Model) -> str:
        return write(reduce(getattr, field.split("__"), row))

    column.__name__ = field
    return admin.display(description=label, ordering=field)(column)
