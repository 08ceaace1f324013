"""What an operator should know: resolved when its cause is gone, or by a button with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from billing.admin.base import DiaryAdmin, ReadOnlyAdmin, RecordInline
from billing.admin.filters import CaseFilter, Cases, MomentFilter, ResolvedFilter
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned
from sessions_app.admin.stop_step import BUTTONS, StopButtons

from .. import alerts, silences
from ..alerting import kinds
from ..models import Alert, AlertNotice, AlertSilence, Takeovers

SCOPES = {
    "station": _("this kind at this station"),
    "station_all": _("everything at this station"),
    "site": _("this kind at the whole site"),
    "site_all": _("everything at the whole site"),
    "kind": _("this kind everywhere"),
}


class SilenceForm(ReasonForm):
    scope = forms.ChoiceField(label=_("Silence"), widget=UnfoldAdminSelectWidget)
    until = forms.SplitDateTimeField(
        label=_("Until"), widget=UnfoldAdminSplitDateTimeWidget, help_text=_("UTC")
    )

    def __init__(self, data: Any = None, *, row: Alert | None) -> None:
        super().__init__(data, row=row)
        scopes = dict(SCOPES)
        if row is None or row.station_id is None:
            del scopes["station"], scopes["station_all"]
        if row is None or row.site_id is None:
            del scopes["site"], scopes["site_all"]
        field = self.fields["scope"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(scopes.items())


class ResolvedByFilter(CaseFilter):
    title = _("resolved by")
    parameter_name = "by"

    def cases(self) -> Cases:
        return {
            "staff": (_("staff"), Q(resolved_by__isnull=False)),
            "cause": (
                _("its cause being gone"),
                Q(resolved_at__isnull=False, resolved_by__isnull=True),
            ),
        }


class NoticeInline(RecordInline):
    model = AlertNotice
    verbose_name_plural = _("who was told")
    fields = readonly_fields = ("channel", "event", "status", "held_by", "due_at", "sent_at")


@admin.register(Alert)
class AlertAdmin(StopButtons, ReadOnlyAdmin):
    list_display = (
        "opened_at",
        "severity",
        "text",
        "station",
        "site",
        "kind",
        "count",
        "is_silenced",
        "last_seen_at",
        "resolved_at",
    )
    list_display_links = ("opened_at", "text")
    list_filter = (
        ResolvedFilter,
        "severity",
        "kind",
        ("station", AutocompleteSelectFilter),
        ("site", AutocompleteSelectFilter),
        ResolvedByFilter,
        ("opened_at", MomentFilter),
    )
    list_select_related = ("station", "site")
    search_fields = ("text", "cause", "station__station_id", "site__name")
    fields = readonly_fields = (
        "kind",
        "cause",
        "severity",
        "station",
        "site",
        "text",
        "what_to_do",
        "detail",
        "count",
        "opened_at",
        "last_seen_at",
        "is_silenced",
        "resolved_at",
        "resolved_by",
        "resolution",
    )
    inlines = (NoticeInline,)
    actions = ("resolve",)
    actions_detail = ("resolve", "silence", *BUTTONS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        rows: QuerySet[Alert] = super().get_queryset(request)
        covering = AlertSilence.objects.current(timezone.now()).filter(
            Q(kind="") | Q(kind=OuterRef("kind")),
            Q(station=None) | Q(station=OuterRef("station")),
            Q(site=None) | Q(site=OuterRef("site")),
        )
        annotated = rows.annotate(silenced=Exists(covering))
        return annotated.select_related("station", "site", "resolved_by")

    @admin.display(description=_("silenced"), boolean=True)
    def is_silenced(self, alert: Alert) -> bool:
        return bool(alert.silenced)  # type: ignore[attr-defined]  # annotated

    @admin.display(description=_("what to do"))
    def what_to_do(self, alert: Alert) -> str:
        return kinds.advice_for(alert.kind, "en")

    @reasoned(
        label=_("Resolve"),
        permission="stations.change_alert",
        is_offered=lambda alert: alert.is_open and not kinds.ends_itself(alert.kind),
        is_logged=False,
        icon="check_circle",
    )
    def resolve(self, act: Act[Alert]) -> Done:
        alerts.resolve_by_staff(alert_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("It is resolved."))

    @reasoned(
        label=_("Silence"),
        permission="stations.add_alertsilence",
        form=SilenceForm,
        is_offered=lambda alert: alert.is_open,
        is_logged=False,
        icon="notifications_off",
    )
    def silence(self, act: Act[Alert]) -> Done:
        alert, scope = act.row, act.values["scope"]
        row = silences.silence(
            kind="" if scope.endswith("_all") else alert.kind,
            station=alert.station if scope.startswith("station") else None,
            site=alert.site if scope.startswith("site") else None,
            until=act.values["until"],
            by=act.actor,
            reason=act.reason,
        )
        return Done(
            _("Nobody is told of it until %(until)s UTC.") % {"until": f"{row.until:%F %R}"}
        )


@admin.register(AlertNotice)
class AlertNoticeAdmin(DiaryAdmin):
    list_display = ("created_at", "channel", "event", "alert", "status", "held_by", "sent_at")
    list_filter = (
        "channel",
        "event",
        "status",
        "held_by",
        ("created_at", MomentFilter),
    )
    list_select_related = ("channel", "alert")
    search_fields = ("channel__name", "alert__text", "alert__cause")
    fields = readonly_fields = (
        "channel",
        "alert",
        "event",
        "status",
        "held_by",
        "due_at",
        "message",
        "created_at",
        "sent_at",
    )


@admin.register(Takeovers)
class TakeoversAdmin(ReadOnlyAdmin):
    list_display = ("station", "last_at")
    list_filter = (("station", AutocompleteSelectFilter), ("last_at", MomentFilter))
    list_select_related = ("station",)
    search_fields = ("station__station_id",)
    ordering = ("-last_at",)
    fields = readonly_fields = ("station", "last_at", "recent")
