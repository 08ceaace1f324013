"""Buttons on the page of a station for the list of tags that it keeps."""

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from billing.admin.display import EMPTY, link
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned
from sessions_app.models import LocalList
from sessions_app.services import local_list

from ..models import Command, Station


class ChoiceForm(ReasonForm):
    choice = forms.ChoiceField(
        label=_("List"), choices=LocalList.Choice.choices, widget=UnfoldAdminSelectWidget
    )


class LocalListButtons:
    """For the page of a station, and its list for the choice."""

    @admin.display(description=_("list of tags"))
    def local_list_line(self, station: Station) -> SafeString | str:
        row = LocalList.objects.select_related("station").filter(station=station).first()
        if row is None:
            return EMPTY
        told = (row.get_state_display(), row.get_choice_display())
        return format_html("{} · {}", link(row, " · ".join(map(str, told))), row.last_result)

    @reasoned(
        label=_("Choose the list"),
        permission="sessions_app.change_locallist",
        form=ChoiceForm,
        is_logged=False,
        icon="checklist",
    )
    def list_choose(self, act: Act[Station]) -> Done:
        choice = LocalList.Choice(act.values["choice"])
        local_list.choose(station=act.row, choice=choice, actor=act.actor, reason=act.reason)
        return Done(_("%(station)s: %(choice)s.") % {"station": act.row, "choice": choice.label})

    @reasoned(
        label=_("Send the list in full"),
        permission="sessions_app.change_locallist",
        is_offered=lambda station: station.is_online,
        icon="sync",
    )
    def list_send(self, act: Act[Station]) -> Done:
        return _asked(local_list.send_in_full(station=act.row, actor=act.actor, reason=act.reason))

    @reasoned(
        label=_("Ask for the list's version"),
        permission="sessions_app.change_locallist",
        is_offered=lambda station: station.is_online,
    )
    def list_ask(self, act: Act[Station]) -> Done:
        return _asked(local_list.ask_version(station=act.row, actor=act.actor, reason=act.reason))

    @reasoned(
        label=_("Clear the list and switch it off"),
        permission="sessions_app.change_locallist",
        is_offered=lambda station: station.is_online,
        variant=ActionVariant.DANGER,
    )
    def list_clear(self, act: Act[Station]) -> Done:
        return _asked(local_list.clear(station=act.row, actor=act.actor, reason=act.reason))


def _asked(command: Command) -> Done:
    return Done(format_html("{} {}", _("The station is asked:"), link(command)))
