"""How staff resolve what waits for review: the forms and buttons of its sessions."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from billing.admin.display import energy, money
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned
from billing.energy import to_wh
from billing.money import to_minor

from ..models import ChargingSession, SessionStatus
from ..models.session import RUNNING
from ..services import review
from ..services.reread import preview, reread
from ..services.stop import force_end


class MeterForm(ReasonForm):
    meter_stop_kwh = forms.DecimalField(
        label=_("Meter at the end, kWh"),
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=3,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    def __init__(self, data: Any = None, *, row: ChargingSession) -> None:
        super().__init__(data, row=row)
        self.fields["meter_stop_kwh"].help_text = _(
            "The register, not the energy of this session. At the start: %(start)s, last: %(last)s."
        ) % {"start": energy(row.meter_start_wh), "last": energy(row.meter_last_wh)}


class RereadForm(ReasonForm):
    """Shows what the station's present meter profile would make of the session."""

    def __init__(self, data: Any = None, *, row: ChargingSession) -> None:
        super().__init__(data, row=row)
        if not is_in_review(row):
            return
        found = preview(session_id=row.pk)
        facts = {"energy": energy(found.energy_wh), "cost": money(found.cost_minor)}
        says = _("By the present meter profile: %(energy)s, %(cost)s.") % facts
        if found.doubt:
            says = _("%(says)s Still in doubt: %(cause)s.") % {"says": says, "cause": found.doubt}
        self.fields["reason"].help_text = says


class AmountForm(ReasonForm):
    amount = forms.DecimalField(
        label=_("What the driver pays"),
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    def __init__(self, data: Any = None, *, row: ChargingSession) -> None:
        super().__init__(data, row=row)
        bill = row.bill or {"total": "0.00"}
        self.fields["amount"].help_text = _(
            "At most the bill, %(bill)s, and what is on hold, %(hold)s. The bill stays as it is; "
            "what is not paid of it is loss."
        ) % {"bill": f"{bill['total']} {row.currency}", "hold": money(row.hold_minor)}


def is_in_review(session: ChargingSession) -> bool:
    return session.status == SessionStatus.REVIEW


class ReviewButtons:
    """Buttons on the page of a session: end it by force, or resolve its review."""

    @reasoned(
        label=_("Force end"),
        permission="sessions_app.change_chargingsession",
        form=MeterForm,
        is_offered=lambda session: session.status in RUNNING,
        icon="dangerous",
        variant=ActionVariant.DANGER,
    )
    def force_end(self, act: Act[ChargingSession]) -> Done:
        return _end_on_meter(act)

    @reasoned(
        label=_("Settle on a meter"),
        permission="sessions_app.change_chargingsession",
        form=MeterForm,
        is_offered=is_in_review,
        icon="speed",
    )
    def settle_on_meter(self, act: Act[ChargingSession]) -> Done:
        return _end_on_meter(act)

    @reasoned(
        label=_("Read the meter again"),
        permission="sessions_app.change_chargingsession",
        form=RereadForm,
        is_offered=is_in_review,
        icon="electric_meter",
    )
    def reread(self, act: Act[ChargingSession]) -> Done:
        """By the station's present meter profile; it settles nothing that stays in doubt."""
        session = reread(session_id=act.row.pk, actor=act.actor, reason=act.reason)
        facts = {"energy": energy(session.energy_wh), "cost": money(session.cost_minor)}
        return Done(_("Ended: %(energy)s, %(cost)s.") % facts)

    @reasoned(
        label=_("Settle with an amount"),
        permission="sessions_app.change_chargingsession",
        form=AmountForm,
        is_offered=is_in_review,
        icon="payments",
    )
    def settle_with(self, act: Act[ChargingSession]) -> Done:
        amount = to_minor(act.values["amount"])
        session = review.settle_with(
            session_id=act.row.pk, amount=amount, actor=act.actor, reason=act.reason
        )
        return Done(_("Settled: %(cost)s.") % {"cost": money(session.cost_minor)})

    @reasoned(
        label=_("Release"),
        permission="sessions_app.change_chargingsession",
        is_offered=is_in_review,
        icon="lock_open",
        variant=ActionVariant.WARNING,
    )
    def release(self, act: Act[ChargingSession]) -> Done:
        review.release(session_id=act.row.pk, actor=act.actor, reason=act.reason)
        return Done(_("The hold is free, and nothing is paid."))


def _end_on_meter(act: Act[ChargingSession]) -> Done:
    session = force_end(
        session_id=act.row.pk,
        meter_stop_wh=to_wh(act.values["meter_stop_kwh"]),
        actor=act.actor,
        reason=act.reason,
    )
    facts = {"energy": energy(session.energy_wh), "cost": money(session.cost_minor)}
    return Done(_("Ended: %(energy)s, %(cost)s.") % facts)
