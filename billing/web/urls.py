"""Routes of this app's pages and of what payment companies call."""

from django.urls import URLPattern

from ..api.routing import api_path
from . import osmp, pay, receipts, webhooks

urlpatterns: list[URLPattern] = [
    *api_path("billing/pay/<uuid:payment_id>", pay.PayView.as_view(), "pay"),
    *api_path("billing/sandbox/<uuid:payment_id>", pay.SandboxView.as_view(), "sandbox"),
    *api_path("billing/webhooks/<str:provider>", webhooks.WebhookView.as_view(), "webhook"),
    *api_path("r/<str:token>", receipts.ReceiptLinkView.as_view(), "receipt_link"),
    *api_path("billing/osmp/<str:terminal>", osmp.OsmpView.as_view(), "osmp"),
]
