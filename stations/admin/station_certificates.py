"""The part of a station's page that is about its certificates and the roots that it trusts."""

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from billing.admin.display import link
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned

from .. import registry
from ..certificates import authority, issue, roots
from ..models import Command, Station

KINDS = [
    ("CentralSystemRootCertificate", _("of the central system")),
    ("ManufacturerRootCertificate", _("of the manufacturer")),
]


class KindForm(ReasonForm):
    kind = forms.ChoiceField(label=_("Root"), choices=KINDS, widget=UnfoldAdminSelectWidget)


class RootForm(KindForm):
    """Which root a station shall trust; empty means our own authority's."""

    certificate = forms.CharField(
        label=_("Certificate (PEM)"),
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text=_("Empty: the root of our own authority."),
    )


class CertificateButtons:
    """Buttons of a station's page."""

    @reasoned(
        label=_("Renew the certificate"),
        permission="stations.add_command",
        is_offered=lambda station: station.is_online,
        icon="workspace_premium",
    )
    def renew_certificate(self, act: Act[Station]) -> Done:
        command = registry.ask_station(
            station=act.row,
            action=issue.TRIGGER,
            payload=issue.TRIGGER_PAYLOAD,
            by=act.actor,
            reason=act.reason,
        )
        return _asked(command)

    @reasoned(
        label=_("Ask for its roots"),
        permission="stations.add_command",
        form=KindForm,
        is_offered=lambda station: station.is_online,
    )
    def ask_roots(self, act: Act[Station]) -> Done:
        return _asked(
            roots.ask(station=act.row, kind=act.values["kind"], by=act.actor, reason=act.reason)
        )

    @reasoned(
        label=_("Install a root"),
        permission="stations.add_command",
        form=RootForm,
        is_offered=lambda station: station.is_online,
    )
    def install_root(self, act: Act[Station]) -> Done:
        return _asked(
            roots.install(
                station=act.row,
                kind=act.values["kind"],
                pem=act.values["certificate"] or authority.load().pem,
                by=act.actor,
                reason=act.reason,
            )
        )


def _asked(command: Command) -> Done:
    return Done(format_html("{} {}", _("The station is asked:"), link(command)))
