"""Channels of alerts and silences: their forms, and the buttons *Send a test* and *End it now*."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
)

from billing.admin.base import ReasonedModelForm, SelfRecordedAdmin
from billing.admin.filters import CaseFilter, Cases, MomentFilter
from billing.admin.reasoned import Act, Done, actor_of, reasoned

from .. import alert_channels, silences
from ..alerting import kinds
from ..models import AlertChannel, AlertSilence

KIND_CHOICES = [(kind.name, kind.title.en) for kind in kinds.KINDS]


class ChannelForm(ReasonedModelForm):
    address = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=2000,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_(
            "An address of Apprise, e.g. tgram://token/chat, mailto://…, jsons://…. It is kept "
            "encrypted and never shown again. Leave it empty to keep the one that is set."
        ),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Kinds"),
        required=False,
        choices=KIND_CHOICES,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None: all kinds."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "address" in self.fields:
            self.fields["address"].required = self.instance.pk is None


class FailingFilter(CaseFilter):
    title = _("state")
    parameter_name = "failing"

    def cases(self) -> Cases:
        return {
            "1": (_("failing"), Q(failing_since__isnull=False)),
            "0": (_("well"), Q(failing_since__isnull=True)),
        }


@admin.register(AlertChannel)
class AlertChannelAdmin(SelfRecordedAdmin):
    form = ChannelForm
    list_display = (
        "name",
        "service",
        "is_enabled",
        "min_severity",
        "digest_minutes",
        "last_sent_at",
        "failing_since",
    )
    list_filter = ("is_enabled", FailingFilter, "language", "min_severity")
    search_fields = ("name", "service")
    autocomplete_fields = ("sites",)
    readonly_fields = ("service", "last_sent_at", "failing_since", "last_error")
    fieldsets = (
        (None, {"fields": ("name", "address", "service", "is_enabled", "language")}),
        (_("What it tells"), {"fields": ("min_severity", "kinds", "sites")}),
        (
            _("When it tells"),
            {
                "fields": (
                    "digest_minutes",
                    ("quiet_from", "quiet_until"),
                    "time_zone",
                    "breaks_quiet",
                )
            },
        ),
        (_("What came of it"), {"fields": ("last_sent_at", "failing_since", "last_error")}),
    )
    actions_detail = ("send_test", "remove")

    def save_model(self, request: HttpRequest, obj: AlertChannel, form: Any, change: bool) -> None:
        said = form.cleaned_data
        channel = AlertChannel.objects.get(pk=obj.pk) if change else AlertChannel()
        names = form.changed_data if change else said
        changes = {name: said[name] for name in names if name in alert_channels.COLUMNS}
        saved = alert_channels.save_channel(
            channel=channel,
            by=actor_of(request),
            reason=said["reason"],
            changes=changes,
            address=said["address"],
            sites=list(said["sites"]),
        )
        obj.pk = saved.pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The use case has set the sites."""

    @reasoned(
        label=_("Send a test"),
        permission="stations.change_alertchannel",
        icon="send",
    )
    def send_test(self, act: Act[AlertChannel]) -> Done:
        alert_channels.ask_for_test(channel=act.row)
        return Done(_("The worker sends it now; this page shows what came of it."))

    @reasoned(
        label=_("Remove"),
        permission="stations.delete_alertchannel",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[AlertChannel]) -> Done:
        alert_channels.remove_channel(channel_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("The channel is gone."), is_gone=True)


class SilenceModelForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic when it runs
    """The reason is the row's own; it is asked for as everywhere."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[("", _("all kinds")), *KIND_CHOICES],
        widget=UnfoldAdminSelectWidget,
    )


class CurrentFilter(CaseFilter):
    title = _("state")
    parameter_name = "current"

    def cases(self) -> Cases:
        is_current = Q(until__gt=timezone.now(), ended_at__isnull=True)
        return {"1": (_("in force"), is_current), "0": (_("over"), ~is_current)}


@admin.register(AlertSilence)
class AlertSilenceAdmin(SelfRecordedAdmin):
    form = SilenceModelForm
    list_display = ("created_at", "kind", "station", "site", "until", "ended_at", "reason")
    list_filter = (
        CurrentFilter,
        "kind",
        ("station", AutocompleteSelectFilter),
        ("site", AutocompleteSelectFilter),
        ("until", MomentFilter),
    )
    list_select_related = ("station", "site")
    search_fields = ("kind", "reason", "station__station_id", "site__name")
    autocomplete_fields = ("station", "site")
    fields = ("kind", "station", "site", "until")
    actions_detail = ("end_now",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("reason", "made_by", "created_at", "ended_at") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return super().get_fieldsets(request, obj)
        shown = (*self.fields, "reason", "made_by", "created_at", "ended_at")
        return [(None, {"fields": shown})]

    def save_model(self, request: HttpRequest, obj: AlertSilence, form: Any, change: bool) -> None:
        said = form.cleaned_data
        row = silences.silence(
            kind=said["kind"],
            station=said["station"],
            site=said["site"],
            until=said["until"],
            by=actor_of(request),
            reason=said["reason"],
        )
        obj.pk = row.pk

    @reasoned(
        label=_("End it now"),
        permission="stations.add_alertsilence",
        is_offered=lambda silence: silence.is_current(timezone.now()),
        is_logged=False,
        icon="notifications_active",
    )
    def end_now(self, act: Act[AlertSilence]) -> Done:
        silences.end_silence(silence_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("It is over; what is still open is told now."))
