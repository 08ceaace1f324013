"""Webhooks in the back office: endpoints with their secrets, and what became of each delivery."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from ..hooks import endpoints
from ..hooks.endpoints import EndpointFacts
from ..hooks.events import EventType, envelope
from ..models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from .base import DiaryAdmin, ReasonedModelForm, SelfRecordedAdmin
from .display import EMPTY, Text, json_text, list_link
from .filters import MomentFilter
from .reasoned import Act, Done, actor_of, reasoned

CHANGE = "billing.change_webhookendpoint"


class EndpointForm(ReasonedModelForm):
    url = forms.CharField(label=_("address"), max_length=500, widget=UnfoldAdminTextInputWidget)
    event_types = forms.MultipleChoiceField(
        label=_("events"),
        choices=[(one.value, f"{one.value}: {one.label}") for one in EventType],
        initial=EventType.values,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(SelfRecordedAdmin):
    form = EndpointForm
    list_display = ("name", "description", "enabled", "failures", "failing_since", "created_at")
    list_filter = ("enabled", ("created_at", MomentFilter))
    search_fields = ("url", "description")
    list_select_related = ("made_by",)
    SAID = ("url", "description", "event_types", "enabled")
    readonly_fields = (
        "failures",
        "failing_since",
        "paused_until",
        "old_secret_until",
        "made_by",
        "created_at",
        "shown_deliveries",
    )
    fieldsets = ((None, {"fields": (*SAID, *readonly_fields)}),)
    add_fieldsets = ((None, {"fields": SAID}),)
    actions_detail = ("test", "send_failed", "rotate", "remove")

    @admin.display(description=_("host"), ordering="url")
    def name(self, row: WebhookEndpoint) -> str:
        """The address may hold a token, which a list need not show."""
        return row.url.split("/")[2]

    @admin.display(description=_("deliveries"))
    def shown_deliveries(self, row: WebhookEndpoint) -> SafeString | str:
        query = f"endpoint__id__exact={row.pk}"
        return list_link(WebhookDelivery, query, _("What was sent")) if row.pk else EMPTY

    def save_model(
        self,
        request: HttpRequest,
        obj: WebhookEndpoint,
        form: "forms.ModelForm[WebhookEndpoint]",
        change: bool,
    ) -> None:
        names = form.changed_data if change else self.SAID
        facts = cast(EndpointFacts, {n: form.cleaned_data[n] for n in names if n != "reason"})
        by, reason = actor_of(request), form.cleaned_data["reason"]
        if change:
            endpoints.change_endpoint(endpoint_id=obj.pk, changes=facts, by=by, reason=reason)
            return
        keyed = endpoints.add_endpoint(facts=facts, by=by, reason=reason)
        obj.pk = keyed.endpoint.pk
        messages.warning(request, _told_once(keyed))

    @reasoned(label=_("Send a test"), permission=CHANGE, is_logged=False, icon="send")
    def test(self, act: Act[WebhookEndpoint]) -> Done:
        endpoints.send_test(endpoint_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("The test is on its way: look at what was sent."))

    @reasoned(
        label=_("Send again what failed"),
        permission=CHANGE,
        is_offered=lambda row: row.enabled,
        is_logged=False,
        icon="replay",
    )
    def send_failed(self, act: Act[WebhookEndpoint]) -> Done:
        count = endpoints.send_failed_again(endpoint_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("%(count)s deliveries are sent again.") % {"count": count})

    @reasoned(label=_("New secret"), permission=CHANGE, is_logged=False, icon="key")
    def rotate(self, act: Act[WebhookEndpoint]) -> Done:
        keyed = endpoints.rotate_secret(endpoint_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_told_once(keyed), messages.WARNING)

    @reasoned(
        label=_("Remove"),
        permission="billing.delete_webhookendpoint",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[WebhookEndpoint]) -> Done:
        endpoints.remove_endpoint(endpoint_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("The endpoint is gone."), is_gone=True)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(DiaryAdmin):
    list_display = (
        "created_at",
        "type",
        "endpoint",
        "status",
        "attempts",
        "response_code",
        "response_ms",
        "last_error",
    )
    list_filter = (
        ("message__status", admin.ChoicesFieldListFilter),
        ("endpoint", AutocompleteSelectFilter),
        ("event__type", FieldTextFilter),
        ("event__created_at", MomentFilter),
    )
    list_select_related = ("endpoint", "event", "message")
    search_fields = ("event__reference", "event__type")
    actions = actions_detail = ("send_again",)
    fields = readonly_fields = (
        *list_display,
        "event_id_shown",
        "reference",
        "attempted_at",
        "due_at",
        "delivered_at",
        "body",
    )

    @admin.display(description=_("happened at"), ordering="event")
    def created_at(self, row: WebhookDelivery) -> Any:
        return row.event.created_at

    @admin.display(description=_("event"))
    def type(self, row: WebhookDelivery) -> str:
        return row.event.type

    @admin.display(description=_("status"))
    def status(self, row: WebhookDelivery) -> str:
        return row.message.get_status_display()

    @admin.display(description=_("attempts"))
    def attempts(self, row: WebhookDelivery) -> int:
        return row.message.attempts

    @admin.display(description=_("last error"))
    def last_error(self, row: WebhookDelivery) -> str:
        return row.message.last_error or EMPTY

    @admin.display(description="webhook-id")
    def event_id_shown(self, row: WebhookDelivery) -> str:
        return str(row.event.id)

    @admin.display(description=_("about"))
    def reference(self, row: WebhookDelivery) -> str:
        return row.event.reference

    @admin.display(description=_("next attempt"))
    def due_at(self, row: WebhookDelivery) -> Any:
        return row.message.due_at

    @admin.display(description=_("delivered at"))
    def delivered_at(self, row: WebhookDelivery) -> Any:
        return row.message.delivered_at

    @admin.display(description=_("body"))
    def body(self, row: WebhookDelivery) -> SafeString:
        return json_text(envelope(row.event))

    @reasoned(label=_("Send again"), permission=CHANGE, is_logged=False, icon="replay")
    def send_again(self, act: Act[WebhookDelivery]) -> Done:
        endpoints.send_again(delivery_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("It is sent again."))


@admin.register(WebhookEvent)
class WebhookEventAdmin(DiaryAdmin):
    list_display = ("created_at", "type", "reference", "number")
    list_filter = (("type", FieldTextFilter), ("created_at", MomentFilter))
    search_fields = ("reference", "type")
    fields = readonly_fields = ("id", *list_display, "shown_data")

    @admin.display(description=_("data"))
    def shown_data(self, row: WebhookEvent) -> SafeString:
        return json_text(row.data)


def _told_once(keyed: endpoints.Keyed) -> Text:
    return _("The secret of %(endpoint)s is %(secret)s. It is not shown again.") % {
        "endpoint": keyed.endpoint,
        "secret": keyed.secret,
    }
