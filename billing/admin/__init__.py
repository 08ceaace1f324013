"""The back office of people and money, and the machinery that every app's admin is built of."""

from django.contrib import admin

from . import (
    account,
    group,
    idempotency,
    log,
    notice,
    outbox,
    payment,
    payment_records,
    receipt,
    tariff,
    token,
    transfer,
    user,
)
from .user_forms import LogInForm

__all__ = [
    "account",
    "group",
    "idempotency",
    "log",
    "notice",
    "outbox",
    "payment",
    "payment_records",
    "receipt",
    "tariff",
    "token",
    "transfer",
    "user",
]

admin.site.disable_action("delete_selected")
admin.site.login_form = LogInForm
