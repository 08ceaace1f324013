"""Firmware in the back office: images, campaigns with their progress, and each station's part."""

import math
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from billing.admin.base import DiaryAdmin, ReadOnlyAdmin, SelfRecordedAdmin
from billing.admin.display import EMPTY, link, list_link, table
from billing.admin.filters import MomentFilter
from billing.admin.reasoned import Act, Done, actor_of, reasoned

from ..firmware import campaigns, images
from ..models import (
    FirmwareCampaign,
    FirmwareImage,
    FirmwareReport,
    FirmwareUpdate,
    UpdateStatus,
)
from ..models.firmware import ENDED
from .firmware_forms import CampaignForm, ImageForm

Status = FirmwareCampaign.Status
MANAGE = "stations.change_firmwarecampaign"


@admin.register(FirmwareImage)
class FirmwareImageAdmin(SelfRecordedAdmin):
    """An image is added and removed, and never changed: campaigns have sent it."""

    form = ImageForm
    list_display = ("version", "vendor", "model", "kind", "size_bytes", "created_at")
    list_filter = ("vendor", "model", ("created_at", MomentFilter))
    search_fields = ("version", "vendor", "model", "file_name", "uri")
    actions_detail = ("remove",)
    ON_FILE = ("kind", "file_name", "size_bytes", "sha256", "created_at")
    SAID = ("version", "vendor", "model", "uri", "signature", "signing_certificate")
    fieldsets = ((None, {"fields": (*SAID, *ON_FILE)}),)
    add_fieldsets = ((None, {"fields": ("version", "vendor", "model", "file", *SAID[3:])}),)
    readonly_fields = ON_FILE

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("kind"))
    def kind(self, image: FirmwareImage) -> str:
        where = _("file") if image.path else _("address")
        signed = _("signed") if image.is_signed else _("not signed")
        return f"{where}, {signed}"

    def save_model(
        self,
        request: HttpRequest,
        obj: FirmwareImage,
        form: "forms.ModelForm[FirmwareImage]",
        change: bool,
    ) -> None:
        said = form.cleaned_data
        file = said["file"]
        image = images.add_image(
            make=images.Make(said["version"], said["vendor"], said["model"]),
            file=images.Upload(file.name, file.chunks()) if file else None,
            uri=said["uri"],
            seal=images.Seal(said["signature"], said["signing_certificate"]),
            by=actor_of(request),
            reason=said["reason"],
        )
        obj.pk = image.pk

    @reasoned(
        label=_("Remove"),
        permission="stations.delete_firmwareimage",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[FirmwareImage]) -> Done:
        images.remove_image(image=act.row, by=act.actor, reason=act.reason)
        return Done(_("The image is gone."), is_gone=True)


def _is(*statuses: Status) -> Any:
    return lambda campaign: campaign.status in statuses


@admin.register(FirmwareCampaign)
class FirmwareCampaignAdmin(ReadOnlyAdmin):
    list_display = ("name", "image", "status", "progress", "failures", "begins_at", "ended_at")
    list_filter = ("status", ("image", AutocompleteSelectFilter), ("created_at", MomentFilter))
    list_select_related = ("image", "created_by")
    search_fields = ("name", "image__version", "reason")
    fields = readonly_fields = (
        "name",
        "image",
        "status",
        "progress",
        "state_table",
        "rows",
        "begins_at",
        "from_hour",
        "until_hour",
        "max_at_once",
        "stop_percent",
        "retries",
        "retry_interval_s",
        "created_by",
        "reason",
        "created_at",
        "ended_at",
    )
    actions_list = ("plan",)
    actions_detail = ("pause", "resume", "retry", "cancel")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FirmwareCampaign]:
        found: QuerySet[FirmwareCampaign] = super().get_queryset(request)
        return found.select_related("image", "created_by").annotate(
            total=Count("updates"),
            ended=Count("updates", filter=Q(updates__status__in=ENDED)),
            failed=Count("updates", filter=Q(updates__status=UpdateStatus.FAILED)),
        )

    @admin.display(description=_("progress"))
    def progress(self, campaign: Any) -> SafeString:
        share = math.floor(100 * campaign.ended / campaign.total) if campaign.total else 0
        return format_html(
            '<progress max="100" value="{}"></progress> {} / {}',
            share,
            campaign.ended,
            campaign.total,
        )

    @admin.display(description=_("failed"), ordering="failed")
    def failures(self, campaign: Any) -> int:
        return int(campaign.failed)

    @admin.display(description=_("stations by state"))
    def state_table(self, campaign: FirmwareCampaign) -> SafeString | str:
        counts = campaigns.counts(campaign)
        rows = [(status.label, counts[status]) for status in UpdateStatus if status in counts]
        return table((_("state"), _("stations")), rows) if rows else EMPTY

    @admin.display(description=_("stations"))
    def rows(self, campaign: FirmwareCampaign) -> SafeString:
        return list_link(FirmwareUpdate, f"campaign__id__exact={campaign.pk}", _("Each station"))

    @reasoned(
        label=_("Plan a campaign"),
        permission="stations.add_firmwarecampaign",
        form=CampaignForm,
        is_logged=False,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def plan(self, act: Act[None]) -> Done:
        campaign = campaigns.plan_campaign(
            name=act.values["name"],
            image=act.values["image"],
            group=act.values["group"],
            pace=act.values["pace"],
            by=act.actor,
            reason=act.reason,
        )
        return Done(format_html("{} {}", _("Planned:"), link(campaign)))

    @reasoned(label=_("Pause"), permission=MANAGE, is_offered=_is(Status.RUNNING), is_logged=False)
    def pause(self, act: Act[FirmwareCampaign]) -> Done:
        campaigns.pause(campaign_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("Paused. Stations that were asked go on."))

    @reasoned(
        label=_("Resume"),
        permission=MANAGE,
        is_offered=_is(Status.PAUSED, Status.STOPPED),
        is_logged=False,
    )
    def resume(self, act: Act[FirmwareCampaign]) -> Done:
        campaigns.resume(campaign_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("It goes on."))

    @reasoned(
        label=_("Retry what failed"),
        permission=MANAGE,
        is_offered=lambda campaign: campaign.failed and campaign.status != Status.CANCELLED,
        is_logged=False,
    )
    def retry(self, act: Act[FirmwareCampaign]) -> Done:
        count = campaigns.retry(campaign_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("%(count)s stations wait again.") % {"count": count})

    @reasoned(
        label=_("Cancel"),
        permission=MANAGE,
        is_offered=_is(Status.RUNNING, Status.PAUSED, Status.STOPPED),
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def cancel(self, act: Act[FirmwareCampaign]) -> Done:
        campaigns.cancel(campaign_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("Cancelled. Stations that were asked are followed to their end."))


@admin.register(FirmwareUpdate)
class FirmwareUpdateAdmin(DiaryAdmin):
    list_display = (
        "station",
        "campaign",
        "status",
        "cause",
        "told",
        "version_before",
        "version_now",
        "attempts",
        "moved_at",
    )
    list_filter = (
        "status",
        ("campaign", AutocompleteSelectFilter),
        ("station", AutocompleteSelectFilter),
        ("moved_at", MomentFilter),
    )
    list_select_related = ("station", "campaign__image", "command")
    search_fields = ("station__station_id", "campaign__name", "cause")
    fields = readonly_fields = (
        "campaign",
        "station",
        "status",
        "cause",
        "told",
        "version_before",
        "version_now",
        "attempts",
        "command",
        "asked_at",
        "moved_at",
        "due_at",
        "expires_at",
    )
    actions_detail = ("retry",)

    @admin.display(description=_("version now"))
    def version_now(self, update: FirmwareUpdate) -> str:
        return update.station.firmware_version or EMPTY

    @reasoned(
        label=_("Retry"),
        permission=MANAGE,
        is_offered=lambda update: update.status == UpdateStatus.FAILED,
        is_logged=False,
    )
    def retry(self, act: Act[FirmwareUpdate]) -> Done:
        campaigns.retry(
            campaign_id=act.row.campaign_id,
            update_id=act.row.pk,
            by=act.actor,
            reason=act.reason,
        )
        return Done(_("The station waits again."))


@admin.register(FirmwareReport)
class FirmwareReportAdmin(ReadOnlyAdmin):
    list_display = ("station", "status", "request_id", "at")
    list_filter = ("status", ("station", AutocompleteSelectFilter), ("at", MomentFilter))
    list_select_related = ("station",)
    search_fields = ("station__station_id", "status")
    fields = readonly_fields = ("station", "status", "request_id", "at")
