"""The configuration of a station: its keys beside what is wanted, and what staff do about them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from billing.admin.display import EMPTY, link, table
from billing.admin.filters import CaseFilter, Cases
from billing.admin.reasoned import Act, Done, reasoned

from .. import configuration, key_table, keys, reconfigure, rotation
from ..key_table import KeyRow
from ..models import ConfigurationReport, Station
from ..wanted import Want
from .station_commands import MAY_SEND, is_online
from .station_configuration_forms import ChangeKeyForm, NewKeyForm, ReadForm, UndoForm


class ConfigurationFilter(CaseFilter):
    title = _("configuration")
    parameter_name = "configuration"

    def cases(self) -> Cases:
        is_read = Q(configuration_report__read_at__isnull=False)
        differs = Q(configuration_report__differing__gt=0)
        return {
            "differs": (_("differs from what is wanted"), is_read & differs),
            "refused": (_("something was refused"), Q(configuration_report__refused__gt=0)),
            "same": (_("as wanted"), is_read & ~differs),
            "unread": (_("never read"), ~is_read),
        }


class ConfigurationButtons:
    """Keys of a station, and buttons that read and change them."""

    @admin.display(description=_("configuration"))
    def settings_table(self, station: Station) -> SafeString | str:
        rows = key_table.rows(station)
        if not rows:
            return EMPTY
        headers = (_("key"), _("value"), _("wanted"), _("wanted by"), _("read-only"), _("state"))
        report = ConfigurationReport.objects.filter(station=station).first()
        body = table(headers, [_cells(row) for row in rows])
        return format_html("{}{}", _summary(report), body)

    @reasoned(
        label=_("Read the configuration"),
        permission=MAY_SEND,
        form=ReadForm,
        is_offered=is_online,
        icon="refresh",
    )
    def read_configuration(self, act: Act[Station]) -> Done:
        asked = reconfigure.read_keys(
            station=act.row, keys=act.values["keys"], by=act.actor, reason=act.reason
        )
        links = format_html_join(", ", "{}", ((link(command),) for command in asked))
        return Done(format_html("{} {}", _("The station is asked:"), links))

    @reasoned(
        label=_("Change a key"),
        permission=MAY_SEND,
        form=ChangeKeyForm,
        is_offered=is_online,
        icon="edit",
    )
    def change_key(self, act: Act[Station]) -> Done:
        command = reconfigure.change_key(
            station=act.row,
            key=act.values["name"],
            value=act.values["value"],
            by=act.actor,
            reason=act.reason,
        )
        return Done(format_html("{} {}", _("The station is asked:"), link(command)))

    @reasoned(
        label=_("Apply what is wanted"),
        permission=MAY_SEND,
        is_offered=is_online,
        icon="playlist_add_check",
    )
    def apply_wishes(self, act: Act[Station]) -> Done:
        configuration.apply(station=act.row, by=act.actor, reason=act.reason)
        return Done(_("%(station)s is being set up.") % {"station": act.row})

    @reasoned(
        label=_("Undo a change of a key"),
        permission=MAY_SEND,
        form=UndoForm,
        is_offered=lambda station: (
            station.is_online and any("before" in e for e in station.configuration.values())
        ),
        icon="undo",
    )
    def undo_change(self, act: Act[Station]) -> Done:
        command = reconfigure.undo_change(
            station=act.row, key=act.values["key"], by=act.actor, reason=act.reason
        )
        return Done(format_html("{} {}", _("The station is asked:"), link(command)))

    @reasoned(
        label=_("New key over the air"),
        permission="stations.change_station",
        form=NewKeyForm,
        is_offered=lambda station: (
            station.is_online and station.security_profile in keys.KEYED_PROFILES
        ),
        icon="key",
    )
    def send_key(self, act: Act[Station]) -> Done:
        sent = rotation.send_new_key(station=act.row, by=act.actor, reason=act.reason)
        page = link(sent.command)
        if not act.values["is_shown"]:
            return Done(format_html("{} {}", _("A new key is on its way:"), page))
        text = _("The new key %(key)s is on its way. It is not shown again.") % {"key": sent.key}
        return Done(format_html("{} {}", text, page), messages.WARNING)


def _summary(report: ConfigurationReport | None) -> SafeString:
    """When the keys were read, and what to look at."""
    if report is None or report.read_at is None:
        return format_html("<p>{}</p>", _("The station has not reported its configuration yet."))
    parts = [
        _("Read at %(at)s.") % {"at": f"{localtime(report.read_at):%Y-%m-%d %H:%M}"},
        _("Not as wanted: %(count)s.") % {"count": report.differing},
    ]
    if report.left_out:
        parts.append(_("Keys that are not kept: %(count)s.") % {"count": report.left_out})
    return format_html("<p>{}</p>", " ".join(parts))


def _cells(row: KeyRow) -> tuple[Any, ...]:
    state = f"{row.state.label}: {row.cause}" if row.cause else row.state.label
    wanted = row.want.value if row.want else ""
    read_only = _("yes") if row.is_readonly else ""
    return (row.key, row.value or "", wanted, _wanted_by(row.want), read_only, state)


def _wanted_by(want: Want | None) -> SafeString | str:
    if want is None:
        return ""
    if want.wish is None:
        return "Kubat"
    page = link(want.wish, want.wish.place)
    if want.need is None:
        return page
    warning = _("Kubat needs %(need)s!") % {"need": want.need}
    return format_html("{} <strong>{}</strong>", page, warning)
