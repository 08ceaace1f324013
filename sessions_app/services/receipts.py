"""What a receipt says of a charge: the only place that tells billing what was sold."""

from billing.energy import to_text
from billing.money import Minor
from billing.pricing import Bill
from billing.pricing.bill import number_text
from billing.receipts.issue import issue
from billing.receipts.snapshot import Sale

from ..models import ChargingSession
from .books import tax_in


def document(session: ChargingSession, bill: Bill) -> None:
    """Issue the receipt of a session that its driver paid for, or a correction of it.

    Nothing when no driver pays, or what was paid is documented already. It comes last in its
    transaction, for no other document gets a number before the commit.
    """
    if session.user is None:
        return
    paid = Minor(session.cost_minor)
    issue(
        user=session.user,
        reference=session.reference,
        sale=_sale(session),
        bill=bill,
        paid=paid,
        tax=tax_in(paid, bill),
    )


def _sale(session: ChargingSession) -> Sale:
    station, tariff = session.station, session.tariff
    started_at = session.started_at or session.requested_at
    price = tariff.price_per_kwh if tariff else None
    return Sale(
        place=station.name or station.station_id,
        address=station.address or (station.site.address if station.site else ""),
        connector=session.connector_id,
        started_at=started_at.isoformat(),
        ended_at=(session.stopped_at or started_at).isoformat(),
        time_zone=station.zone.key,
        energy_kwh=to_text(session.energy_wh),
        tariff=tariff.name if tariff else "",
        price_per_kwh=None if price is None else number_text(price, least_decimals=2),
    )
