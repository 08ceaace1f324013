"""Whether a station is sold, let in and kept, and its key."""

from typing import Any, cast

from django.contrib import messages
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from billing.admin.reasoned import Act, Done, reasoned

from .. import keys, registry
from ..models import Station
from ..registry import StationFacts


class RegistrationButtons:
    """Buttons of a station's page."""

    @reasoned(
        label=_("Put on sale"),
        permission="stations.change_station",
        is_offered=lambda station: not station.enabled,
        is_logged=False,
    )
    def enable(self, act: Act[Station]) -> Done:
        _update(act, enabled=True)
        return Done(_("%(station)s is on sale.") % {"station": act.row})

    @reasoned(
        label=_("Take out of sale"),
        permission="stations.change_station",
        is_offered=lambda station: station.enabled,
        is_logged=False,
    )
    def disable(self, act: Act[Station]) -> Done:
        _update(act, enabled=False)
        return Done(_("%(station)s is out of sale.") % {"station": act.row})

    @reasoned(
        label=_("Approve"),
        permission="stations.change_station",
        is_offered=lambda station: station.registration != Station.Registration.ACCEPTED,
        is_logged=False,
        icon="check",
        variant=ActionVariant.SUCCESS,
    )
    def approve(self, act: Act[Station]) -> Done:
        key = _update(act, registration=Station.Registration.ACCEPTED)
        if key:
            return Done(told_once(act.row, key), messages.WARNING)
        return Done(_("%(station)s is approved.") % {"station": act.row})

    @reasoned(
        label=_("Reject"),
        permission="stations.change_station",
        is_offered=lambda station: station.registration == Station.Registration.PENDING,
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def reject(self, act: Act[Station]) -> Done:
        _update(act, registration=Station.Registration.REJECTED)
        return Done(_("%(station)s is rejected.") % {"station": act.row})

    @reasoned(
        label=_("New key"),
        permission="stations.change_station",
        is_offered=lambda station: station.security_profile in keys.KEYED_PROFILES,
        is_logged=False,
        icon="key",
    )
    def rotate_key(self, act: Act[Station]) -> Done:
        return Done(told_once(act.row, _update(act, key=None) or ""), messages.WARNING)

    @reasoned(
        label=_("Remove"),
        permission="stations.delete_station",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[Station]) -> Done:
        registry.remove_station(station_id=act.row.station_id, by=act.actor, reason=act.reason)
        return Done(_("The station is gone."), is_gone=True)


def _update(act: Act[Station], **changes: Any) -> str | None:
    """Change a station by the same use case as its form; return a key that was made."""
    keyed = registry.update_station(
        station_id=act.row.station_id,
        changes=cast(StationFacts, changes),
        by=act.actor,
        reason=act.reason,
    )
    return keyed.key


def told_once(station: Station, key: str) -> str:
    return _("The key of %(station)s is %(key)s. It is not shown again.") % {
        "station": station,
        "key": key,
    }
