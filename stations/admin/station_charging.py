"""Smart Charging on the page of a station: set and clear profiles, ask what they come to."""

from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.admin.display import link
from billing.admin.reasoned import Act, Done, reasoned

from .. import charging_profiles, registry
from ..composite_schedules import ASK
from ..models import Command, Station
from .charging_forms import ClearForm, CompositeForm, ProfileForm


def _is_online(station: Station) -> bool:
    return station.is_online


class SmartChargingButtons:
    @reasoned(
        label=_("Set a charging profile"),
        permission="stations.add_command",
        form=ProfileForm,
        is_offered=_is_online,
        icon="speed",
    )
    def set_profile(self, act: Act[Station]) -> Done:
        command = charging_profiles.install(
            station=act.row,
            connector_id=act.values["connector_id"],
            profile=act.values["profile"],
            by=act.actor,
            reason=act.reason,
        )
        return _asked(command)

    @reasoned(
        label=_("Clear charging profiles"),
        permission="stations.add_command",
        form=ClearForm,
        is_offered=_is_online,
        icon="layers_clear",
    )
    def clear_profiles(self, act: Act[Station]) -> Done:
        command = charging_profiles.clear(
            station=act.row, by=act.actor, reason=act.reason, **act.values
        )
        return _asked(command)

    @reasoned(
        label=_("Ask for the composite schedule"),
        permission="stations.add_command",
        form=CompositeForm,
        is_offered=_is_online,
        icon="show_chart",
    )
    def ask_schedule(self, act: Act[Station]) -> Done:
        payload = {
            "connectorId": act.values["connector_id"],
            "duration": act.values["hours"] * 3600,
        }
        command = registry.ask_station(
            station=act.row,
            action=ASK,
            payload=payload,
            by=act.actor,
            reason=act.reason,
        )
        return _asked(command)


def _asked(command: Command) -> Done:
    return Done(format_html("{} {}", _("The station is asked:"), link(command)))
