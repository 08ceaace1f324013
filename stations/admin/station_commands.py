"""What staff ask of stations by buttons: one preset a command, and any call as it is."""

from typing import Any

from django.contrib import messages
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from billing.admin.display import link
from billing.admin.reasoned import Act, Done, reasoned
from sessions_app.models import ChargingSession, SessionStatus
from sessions_app.models.session import OPEN
from sessions_app.services.start import request_start
from sessions_app.services.stop import request_stop
from sessions_app.services.stopping import STOP_ACTION

from .. import registry
from ..errors import ChargeRunning
from ..gateway.schemas import check_request
from ..models import Station
from .station_command_forms import (
    AvailabilityForm,
    ExtendedTriggerForm,
    ResetForm,
    SendForm,
    StopForm,
    TransferForm,
    TriggerForm,
    UnlockForm,
)
from .station_forms import StartForm

MAY_SEND = "stations.add_command"


def is_online(station: Station) -> bool:
    return station.is_online


class CommandButtons:
    """Commands to a station; its row follows on the page of the station."""

    @reasoned(
        label=_("Start a charge"),
        permission="sessions_app.add_chargingsession",
        form=StartForm,
        is_offered=lambda station: station.is_online and station.enabled,
        icon="play_arrow",
    )
    def start(self, act: Act[Station]) -> Done:
        session = request_start(
            driver=act.values["driver"],
            station_id=act.row.station_id,
            connector_id=act.values["connector_id"],
            limit=act.values["limit"],
            actor=act.actor,
            reason=act.reason,
        )
        page = link(session, str(_("session")))
        if session.status == SessionStatus.ERROR:
            return Done(format_html("{} {}", _("Not enough money:"), page), messages.ERROR)
        return Done(format_html("{} {}", _("The station is asked to start:"), page))

    @reasoned(
        label=_("Unlock a connector"),
        permission=MAY_SEND,
        form=UnlockForm,
        is_offered=is_online,
        icon="lock_open",
    )
    def unlock(self, act: Act[Station]) -> Done:
        connector_id = act.values["connector_id"]
        _refuse_while_charging(act, connector_id=connector_id)
        return ask(act, "UnlockConnector", {"connectorId": connector_id})

    @reasoned(
        label=_("Reset"),
        permission=MAY_SEND,
        form=ResetForm,
        is_offered=is_online,
        icon="restart_alt",
        variant=ActionVariant.WARNING,
    )
    def reset(self, act: Act[Station]) -> Done:
        _refuse_while_charging(act)
        return ask(act, "Reset", {"type": act.values["type"]})

    @reasoned(
        label=_("Stop a charge"),
        permission=MAY_SEND,
        form=StopForm,
        is_offered=is_online,
        icon="stop",
    )
    def stop(self, act: Act[Station]) -> Done:
        """Ours ends as a session does, with its bill; only what is unknown gets a bare call."""
        session = act.values["session"] or _session_of(act)
        if session is None:
            return ask(act, STOP_ACTION, {"transactionId": act.values["transaction_id"]})
        stopped = request_stop(session_id=session.pk, actor=act.actor, reason=act.reason)
        return Done(format_html("{} {}", _("The charge is asked to end:"), link(stopped)))

    @reasoned(
        label=_("In or out of service"),
        permission=MAY_SEND,
        form=AvailabilityForm,
        is_offered=is_online,
        icon="power_settings_new",
    )
    def set_availability(self, act: Act[Station]) -> Done:
        payload = {"connectorId": act.values["connector_id"], "type": act.values["type"]}
        return ask(act, "ChangeAvailability", payload)

    @reasoned(
        label=_("Clear the cache of tags"),
        permission=MAY_SEND,
        is_offered=is_online,
        icon="mop",
    )
    def clear_cache(self, act: Act[Station]) -> Done:
        return ask(act, "ClearCache", {})

    @reasoned(
        label=_("Trigger a message"),
        permission=MAY_SEND,
        form=TriggerForm,
        is_offered=is_online,
        icon="forward_to_inbox",
    )
    def trigger(self, act: Act[Station]) -> Done:
        return ask(act, "TriggerMessage", _triggered(act))

    @reasoned(
        label=_("Trigger a message (security extension)"),
        permission=MAY_SEND,
        form=ExtendedTriggerForm,
        is_offered=is_online,
        icon="forward_to_inbox",
    )
    def trigger_extended(self, act: Act[Station]) -> Done:
        return ask(act, "ExtendedTriggerMessage", _triggered(act))

    @reasoned(
        label=_("Transfer data"),
        permission=MAY_SEND,
        form=TransferForm,
        is_offered=is_online,
        icon="swap_vert",
    )
    def transfer_data(self, act: Act[Station]) -> Done:
        said = (
            ("vendorId", act.values["vendor_id"]),
            ("messageId", act.values["message_id"]),
            ("data", act.values["text"]),
        )
        return ask(act, "DataTransfer", {name: value for name, value in said if value})

    @reasoned(
        label=_("Send a call"),
        permission=MAY_SEND,
        form=SendForm,
        is_offered=is_online,
        icon="send",
    )
    def send(self, act: Act[Station]) -> Done:
        action, payload = act.values["action"], act.values["payload"]
        check_request(act.row.subprotocol, action, payload)
        return ask(act, action, payload)


def ask(act: Act[Station], action: str, payload: dict[str, Any]) -> Done:
    """Queue a call for a station, and lead to its row."""
    command = registry.ask_station(
        station=act.row, action=action, payload=payload, by=act.actor, reason=act.reason
    )
    return Done(format_html("{} {}", _("The station is asked:"), link(command)))


def _triggered(act: Act[Station]) -> dict[str, Any]:
    """Connector 0 is the station, which the message is about when no connector is named."""
    payload: dict[str, Any] = {"requestedMessage": act.values["message"]}
    if act.values["connector_id"]:
        payload["connectorId"] = act.values["connector_id"]
    return payload


def _refuse_while_charging(act: Act[Station], *, connector_id: int | None = None) -> None:
    """Raise ChargeRunning where this would interrupt a charge that staff have not agreed to."""
    running = act.row.sessions.running()
    if connector_id is not None:
        running = running.filter(connector_id=connector_id)
    if not act.values["even_so"] and running.exists():
        raise ChargeRunning


def _session_of(act: Act[Station]) -> ChargingSession | None:
    """The open session behind a transaction id that staff typed."""
    open_here = act.row.sessions.filter(status__in=OPEN)
    session: ChargingSession | None = open_here.filter(
        transaction_id=act.values["transaction_id"]
    ).first()
    return session
