"""The back office's sidebar: what there is to go to, for those who may."""

from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from sessions_app.admin.waiting import RIGHTS

GROUPS = (
    (
        _("Charging"),
        (
            ("sessions_app.chargingsession", "bolt"),
            ("sessions_app.reservation", "event_available"),
            ("sessions_app.guestcharge", "person_off"),
            ("sessions_app.orphan", "help_center"),
            ("sessions_app.idtag", "contactless"),
            ("sessions_app.locallist", "checklist"),
        ),
    ),
    (
        _("Stations"),
        (
            ("stations.station", "ev_station"),
            ("stations.site", "location_on"),
            ("stations.meterprofile", "electric_meter"),
            ("stations.stophabit", "timer"),
            ("stations.alert", "notifications"),
            ("stations.uptimemonth", "avg_pace"),
            ("stations.uptimeexclusion", "event_busy"),
            ("stations.alertchannel", "campaign"),
            ("stations.alertsilence", "notifications_off"),
            ("stations.configurationwish", "tune"),
            ("stations.stationcertificate", "workspace_premium"),
            ("stations.securityevent", "security"),
            ("stations.firmwarecampaign", "system_update"),
            ("stations.firmwareimage", "memory"),
            ("stations.logrequest", "troubleshoot"),
            ("stations.installedprofile", "speed"),
            ("stations.compositeschedule", "show_chart"),
            ("stations.command", "send"),
            ("stations.frame", "data_object"),
        ),
    ),
    (
        _("Webhooks"),
        (
            ("billing.webhookendpoint", "webhook"),
            ("billing.webhookdelivery", "outgoing_mail"),
        ),
    ),
    (
        _("Money"),
        (
            ("stations.tariffassignment", "sell"),
            ("billing.payment", "payments"),
            ("billing.paymentreturn", "undo"),
            ("billing.terminalpayment", "point_of_sale"),
            ("billing.account", "account_balance_wallet"),
            ("billing.transfer", "swap_horiz"),
            ("billing.receipt", "receipt"),
            ("sessions_app.reconcilerun", "fact_check"),
        ),
    ),
    (
        _("People"),
        (
            ("billing.user", "person"),
            ("billing.notice", "sms"),
            ("billing.noticepreference", "tune"),
            ("auth.group", "group"),
            ("knox.authtoken", "key"),
            ("admin.logentry", "history"),
        ),
    ),
    (
        _("Records"),
        (
            ("billing.tariff", "receipt_long"),
            ("stations.connector", "electrical_services"),
            ("stations.connectorstatus", "timeline"),
            ("stations.stationchange", "power"),
            ("stations.configurationreport", "rule_settings"),
            ("stations.pendingkey", "vpn_key"),
            ("stations.installedroot", "verified_user"),
            ("stations.firmwareupdate", "update"),
            ("stations.firmwarereport", "monitoring"),
            ("stations.receivedfile", "attach_file"),
            ("sessions_app.sessionevent", "list_alt"),
            ("sessions_app.backstop", "vertical_align_bottom"),
            ("sessions_app.backstoprefusal", "block"),
            ("sessions_app.stopstep", "front_hand"),
            ("sessions_app.reading", "speed"),
            ("sessions_app.transactionnumber", "tag"),
            ("billing.fiscalregistration", "verified"),
            ("billing.receiptcounter", "pin"),
            ("billing.paymentwebhook", "webhook"),
            ("billing.sandboxpayment", "science"),
            ("billing.outboxmessage", "outbox"),
            ("billing.webhookevent", "campaign"),
            ("billing.idempotentrequest", "repeat_one"),
            ("stations.alertnotice", "mark_chat_read"),
            ("stations.takeovers", "swap_calls"),
            ("stations.ignoredframes", "filter_alt_off"),
            ("stations.gatewayprocess", "dns"),
            ("stations.measuredprocess", "speed"),
            ("config.workerprocess", "engineering"),
            ("config.tally", "calculate"),
            ("config.rulelook", "rule"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar in the form that unfold wants; groups without a page are left out."""
    start = {"title": _("Overview"), "icon": "dashboard", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"items": [start, *_waiting(request)]}]
    for title, entries in GROUPS:
        items = [_item(label, icon) for label, icon in entries if _may_view(request, label)]
        if items:
            groups.append({"title": title, "separator": True, "collapsible": True, "items": items})
    return groups


def _waiting(request: HttpRequest) -> list[dict[str, Any]]:
    """The page of what waits for review, for those who may see both kinds."""
    if not all(request.user.has_perm(right) for right in RIGHTS):
        return []
    address = reverse("admin:sessions_app_waiting")
    return [{"title": _("Waiting for review"), "icon": "rule", "link": address}]


def _may_view(request: HttpRequest, label: str) -> bool:
    app, model = label.split(".")
    return any(request.user.has_perm(f"{app}.{may}_{model}") for may in ("view", "change"))


def _item(label: str, icon: str) -> dict[str, Any]:
    model = apps.get_model(label)
    return {
        "title": capfirst(model._meta.verbose_name_plural),
        "icon": icon,
        "link": reverse(f"admin:{label.replace('.', '_')}_changelist"),
    }
