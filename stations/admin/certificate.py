"""Certificates of stations in the back office: looked at, and revoked by a button."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter
from billing.admin.reasoned import Act, Done, reasoned

from ..certificates import authority, issue, roots
from ..models import InstalledRoot, StationCertificate


@admin.register(StationCertificate)
class StationCertificateAdmin(ReadOnlyAdmin):
    list_display = ("issued_at", "station", "status", "serial", "not_before", "not_after")
    list_filter = (
        "status",
        ("station", AutocompleteSelectFilter),
        ("not_after", MomentFilter),
    )
    list_select_related = ("station", "revoked_by")
    search_fields = ("station__station_id", "serial", "fingerprint")
    fields = readonly_fields = (
        "station",
        "status",
        "serial",
        "fingerprint",
        "not_before",
        "not_after",
        "issued_at",
        "resolved_at",
        "attempts",
        "revoked_by",
        "reason",
        "pem",
    )
    actions = ("revoke",)
    actions_detail = ("revoke",)

    @reasoned(
        label=_("Revoke"),
        permission="stations.change_stationcertificate",
        is_offered=lambda certificate: certificate.status in StationCertificate.GOOD,
        is_logged=False,
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, act: Act[StationCertificate]) -> Done:
        issue.revoke(certificate_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("The certificate proves nothing any more."))


@admin.register(InstalledRoot)
class InstalledRootAdmin(ReadOnlyAdmin):
    list_display = ("station", "kind", "serial_number", "is_ours", "seen_at")
    list_filter = ("kind", ("station", AutocompleteSelectFilter), ("seen_at", MomentFilter))
    list_select_related = ("station__owner",)
    search_fields = ("station__station_id", "serial_number")
    fields = readonly_fields = (
        "station",
        "kind",
        "is_ours",
        "hash_algorithm",
        "issuer_name_hash",
        "issuer_key_hash",
        "serial_number",
        "seen_at",
    )
    actions_detail = ("remove",)

    @admin.display(description=_("our root"), boolean=True)
    def is_ours(self, root: InstalledRoot) -> bool:
        return roots.is_of(root, authority.load().certificate)

    @reasoned(
        label=_("Remove from the station"),
        permission="stations.add_command",
        is_offered=lambda root: root.station.is_online,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[InstalledRoot]) -> Done:
        roots.remove(root=act.row, by=act.actor, reason=act.reason)
        return Done(_("The station is asked to forget it."))
