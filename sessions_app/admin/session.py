"""Charging sessions: read-only, with their events, readings, bill and money, and their buttons."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter
from unfold.enums import ActionVariant

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import EMPTY, energy_column, list_link, money_column
from billing.admin.filters import CaseFilter, Cases, MomentFilter
from billing.admin.reasoned import Act, Done, actor_of, reasoned
from billing.admin.receipt import receipt_links
from billing.models import Receipt, Transfer
from stations.models import Command

from ..models import ChargingSession, SessionStatus
from ..models.session import OPEN
from ..services.stop import request_stop
from . import session_frames
from .backstop import backstop_lines
from .bill import bill_table, transfer_table
from .event import EventInline
from .reading import ReadingInline
from .review import ReviewButtons
from .stop_step import BUTTONS, StopButtons, StopStepInline
from .waiting import show_waiting


class CourseFilter(CaseFilter):
    title = _("course")
    parameter_name = "course"

    def cases(self) -> Cases:
        return {
            "open": (_("not ended"), Q(status__in=OPEN)),
            "lost": (_("lost"), Q(lost_at__isnull=False)),
        }


@admin.register(ChargingSession)
class ChargingSessionAdmin(ReviewButtons, StopButtons, ReadOnlyAdmin):
    list_display = (
        "requested_at",
        "user",
        "station",
        "connector_id",
        "status",
        "limit",
        energy_column("energy_wh", _("energy")),
        money_column("cost_minor", _("cost")),
        money_column("hold_minor", _("hold")),
        "error_code",
        "is_lost",
    )
    list_filter = (
        "status",
        CourseFilter,
        ("station", AutocompleteSelectFilter),
        ("user", AutocompleteSelectFilter),
        "origin",
        "limit_type",
        ("error_code", FieldTextFilter),
        ("requested_at", MomentFilter),
    )
    list_select_related = ("user", "station")
    search_fields = (
        "id",
        "user__username",
        "user__email",
        "user__phone",
        "station__station_id",
        "id_tag",
        "transaction_id",
    )
    inlines = (StopStepInline, EventInline, ReadingInline)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "user",
                    "station",
                    "connector_id",
                    "status",
                    "error_code",
                    "origin",
                    "id_tag",
                    "transaction_id",
                    "flags",
                )
            },
        ),
        (
            _("Sale"),
            {
                "fields": (
                    "limit",
                    money_column("max_amount_minor", _("at most on hold")),
                    energy_column("energy_limit_wh", _("energy limit")),
                    "tariff",
                    money_column("hold_minor", _("hold")),
                    energy_column("energy_wh", _("energy")),
                    money_column("cost_minor", _("cost")),
                    money_column("stated_minor", _("stated by staff")),
                    "bill_lines",
                    "transfers",
                    "receipts",
                    "commands",
                )
            },
        ),
        (
            _("Meter"),
            {
                "fields": (
                    energy_column("meter_start_wh", _("at the start")),
                    energy_column("meter_last_wh", _("last")),
                    energy_column("meter_stop_wh", _("at the end")),
                    "meter_start_at",
                )
            },
        ),
        (
            _("Course"),
            {
                "fields": (
                    "requested_at",
                    "started_at",
                    "last_reading_at",
                    "lost_at",
                    "stop_requested_at",
                    "stop_requested_by",
                    "stop_reason",
                    "stopped_at",
                    "stop_received_at",
                    "ended_at",
                    "stop_at",
                    "due_at",
                )
            },
        ),
        (_("Limit at the station"), {"fields": ("limit_at_station",)}),
        (_("Frames"), {"fields": ("frames",), "classes": ("tab",)}),
    )
    actions = ("stop",)
    actions_detail = (
        "stop",
        *BUTTONS,
        "force_end",
        "settle_on_meter",
        "reread",
        "settle_with",
        "release",
    )

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(show_waiting)
        return [path("waiting/", page, name="sessions_app_waiting"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChargingSession]:
        sessions: QuerySet[ChargingSession] = super().get_queryset(request)
        return sessions.select_related("user", "station", "tariff", "backstop")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [field for _name, options in self.fieldsets for field in options["fields"]]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Frames are for those who may see them, and are not read for others."""
        parts = super().get_fieldsets(request, obj)
        may_see = actor_of(request).has_perm(session_frames.RIGHT)
        return [part for part in parts if may_see or "frames" not in part[1]["fields"]]

    @admin.display(description=_("frames"))
    def frames(self, session: ChargingSession) -> SafeString | str:
        return session_frames.frame_table(session)

    @admin.display(description=_("limit"))
    def limit(self, session: ChargingSession) -> str:
        return limit_text(session)

    @admin.display(description=_("profile"))
    def limit_at_station(self, session: ChargingSession) -> SafeString | str:
        return backstop_lines(session)

    @admin.display(description=_("lost"), boolean=True)
    def is_lost(self, session: ChargingSession) -> bool:
        return session.lost_at is not None

    @admin.display(description=_("bill"))
    def bill_lines(self, session: ChargingSession) -> SafeString | str:
        return bill_table(session)

    @admin.display(description=_("holds and transfers"))
    def transfers(self, session: ChargingSession) -> SafeString | str:
        rows = Transfer.objects.filter(reference=session.reference)
        return transfer_table(
            rows.select_related("debit__owner", "credit__owner").order_by("created_at", "id")
        )

    @admin.display(description=_("receipt and corrections"))
    def receipts(self, session: ChargingSession) -> SafeString | str:
        return receipt_links(Receipt.objects.of(session.reference))

    @admin.display(description=_("commands"))
    def commands(self, session: ChargingSession) -> SafeString:
        return list_link(Command, f"q={session.reference}", _("Commands of this session"))

    @reasoned(
        label=_("Stop"),
        permission="sessions_app.change_chargingsession",
        is_offered=lambda session: session.status in OPEN,
        icon="stop_circle",
        variant=ActionVariant.WARNING,
    )
    def stop(self, act: Act[ChargingSession]) -> Done:
        session = request_stop(session_id=act.row.pk, actor=act.actor, reason=act.reason)
        if session.status == SessionStatus.STOPPING:
            return Done(_("The station is asked to stop."))
        return Done(_("The session is cancelled."))


def limit_text(session: ChargingSession) -> str:
    """What the driver asked for, with its unit."""
    kind, value = ChargingSession.LimitType(session.limit_type), session.limit_value
    if value is None:
        return str(kind.label)
    match kind:
        case ChargingSession.LimitType.AMOUNT:
            return f"{value:.2f} {session.currency}"
        case ChargingSession.LimitType.ENERGY:
            return f"{value:.3f} kWh"
        case ChargingSession.LimitType.TIME:
            return f"{value:.0f} min"
        case ChargingSession.LimitType.SOC:
            return f"{value:.0f} %"
    return EMPTY
