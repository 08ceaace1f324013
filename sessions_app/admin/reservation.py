"""Reservations: read-only, with the button that gives a place back."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter
from billing.admin.reasoned import Act, Done, reasoned

from ..models import Reservation
from ..services.reserve import cancel


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "station",
        "connector_id",
        "user",
        "id_tag",
        "state",
        "is_at_station",
        "error_code",
        "expires_at",
    )
    list_filter = (
        "state",
        "is_at_station",
        ("station", AutocompleteSelectFilter),
        ("user", AutocompleteSelectFilter),
        ("expires_at", MomentFilter),
    )
    list_select_related = ("station", "user")
    search_fields = (
        "id",
        "station__station_id",
        "user__username",
        "id_tag",
        "parent_id_tag",
        "session__id",
    )
    fields = readonly_fields = (
        "id",
        "station",
        "connector_id",
        "user",
        "id_tag",
        "parent_id_tag",
        "state",
        "is_at_station",
        "error_code",
        "session",
        "requested_by",
        "created_at",
        "expires_at",
        "ended_at",
    )
    actions = actions_detail = ("cancel",)

    @reasoned(
        label=_("Cancel"),
        permission="sessions_app.change_reservation",
        is_offered=lambda reservation: reservation.is_active,
        is_logged=False,
        icon="event_busy",
        variant=ActionVariant.WARNING,
    )
    def cancel(self, act: Act[Reservation]) -> Done:
        cancel(reservation_id=act.row.pk, actor=act.actor, reason=act.reason)
        return Done(_("The reservation is cancelled."))
