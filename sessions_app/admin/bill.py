"""How the back office writes a session's bill and its money."""

from collections.abc import Iterable

from django.conf import settings
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.display import EMPTY, link, money, table
from billing.models import Transfer

from ..models import ChargingSession


def bill_table(session: ChargingSession) -> SafeString | str:
    """The lines of a bill and their sum; nothing while there is none."""
    if not session.bill:
        return EMPTY
    bill, currency = session.bill, settings.CSMS_CURRENCY
    rows: list[tuple[object, ...]] = [
        (
            line["type"],
            f"{line['quantity']} {line['unit']}",
            f"{line['unit_price']} {currency}",
            f"{line['amount']} {currency}",
            f"{line['tax']} {currency}",
        )
        for line in bill["lines"]
    ]
    rows.append((_("Total"), "", "", f"{bill['total']} {currency}", f"{bill['tax']} {currency}"))
    return table((_("line"), _("quantity"), _("unit price"), _("amount"), _("tax in it")), rows)


def transfer_table(transfers: Iterable[Transfer]) -> SafeString | str:
    """The holds of a session and what they became, in the order of the books."""
    rows = [
        (
            link(transfer, f"{transfer.created_at:%Y-%m-%d %H:%M:%S}"),
            transfer.get_code_display(),
            transfer.get_kind_display(),
            money(transfer.amount_minor),
            str(transfer.debit),
            str(transfer.credit),
        )
        for transfer in transfers
    ]
    headers = (_("at"), _("for"), _("kind"), _("amount"), _("from"), _("to"))
    return table(headers, rows) if rows else EMPTY
