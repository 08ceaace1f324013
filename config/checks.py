"""Wrong settings and wrong combinations fail at start, not at the first charge."""

import ipaddress
import urllib.parse
import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Any

import phonenumbers
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from billing.money import to_minor

from .servers import KINDS as SERVERS

POSITIVE = (
    "CSMS_ASSUMED_POWER_KW",
    "CSMS_CALL_TIMEOUT_S",
    "CSMS_CERTIFICATE_DAYS",
    "CSMS_CERTIFICATE_RENEW_DAYS",
    "CSMS_COMMAND_RETENTION_DAYS",
    "CSMS_CONNECTION_TIMEOUT_S",
    "CSMS_DATABASE_WAIT_S",
    "CSMS_FIRMWARE_MAX_MB",
    "CSMS_FRAME_RETENTION_DAYS",
    "CSMS_GATEWAY_THREADS",
    "CSMS_HEARTBEAT_INTERVAL_S",
    "CSMS_LOST_AFTER_S",
    "CSMS_LOST_NOTICE_AFTER_S",
    "CSMS_METER_INTERVAL_S",
    "CSMS_MIN_HOLD",
    "CSMS_NEARLY_USED_PERCENT",
    "CSMS_NOTICE_RETENTION_DAYS",
    "CSMS_OSMP_MAX",
    "CSMS_OSMP_MIN",
    "CSMS_PAYMENT_LIFETIME_S",
    "CSMS_OUTBOX_RETENTION_DAYS",
    "CSMS_RESERVATION_MINUTES",
    "CSMS_RESERVATIONS_PER_DRIVER",
    "CSMS_RFID_HOLD",
    "CSMS_SECURITY_EVENT_RETENTION_DAYS",
    "CSMS_STATUS_RETENTION_DAYS",
    "CSMS_STOP_TIMEOUT_S",
    "CSMS_TOKEN_DAYS",
    "CSMS_UPLOAD_MAX_MB",
    "CSMS_UPLOAD_RETENTION_DAYS",
)
OTHER_DECIMALS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"),
    *("VND", "VUV", "XAF", "XOF", "XPF", "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"),
}
"""Currencies of ISO 4217 whose minor unit is not the hundredth that our integers count."""
LOCAL_HOSTS = {"localhost", ".localhost", "127.0.0.1", "[::1]"}
OTHER_CONNECTIONS = 4
"""What a process needs beside its gateway threads: its two chores, the worker, and a page."""


@register()
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return [
        *_check_numbers(),
        *_check_money(),
        *_check_fiscal(),
        *_check_place(),
        *_check_network(),
        *_check_payments(),
        *_check_notices(),
        *_check_data(),
    ]


@register(deploy=True)
def check_public_address(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Stations are refused nothing without it; staff who ask one for a log are told so."""
    if settings.CSMS_PUBLIC_URL:
        return []
    problem = "Stations can neither fetch firmware here nor hand in logs."
    hint = "Set CSMS_PUBLIC_URL to the address under which they reach this server."
    return [Warning(problem, hint=hint, id="kubat.W004")]


def _check_numbers() -> Iterator[CheckMessage]:
    for name in POSITIVE:
        if getattr(settings, name) <= 0:
            yield Error(f"{name} must be positive.", id="kubat.E004")


def _check_money() -> Iterator[CheckMessage]:
    for name in ("CSMS_MIN_HOLD", "CSMS_RFID_HOLD", "CSMS_OSMP_MIN", "CSMS_OSMP_MAX"):
        try:
            to_minor(getattr(settings, name))
        except ValueError:
            yield Error(f"{name} has more than two decimals.", id="kubat.E003")
    if settings.CSMS_RFID_HOLD < settings.CSMS_MIN_HOLD:
        yield Error("Below CSMS_MIN_HOLD, CSMS_RFID_HOLD starts nothing.", id="kubat.E005")
    currency = settings.CSMS_CURRENCY
    is_code = len(currency) == 3 and currency.isascii() and currency.isupper()
    if not is_code or currency in OTHER_DECIMALS:
        yield Error("CSMS_CURRENCY is a code of ISO 4217 with two decimals.", id="kubat.E006")


def _check_fiscal() -> Iterator[CheckMessage]:
    registrar = settings.CSMS_FISCAL_REGISTRAR
    if not registrar:
        return
    try:
        found = import_string(registrar)
    except ImportError:
        found = None
    if not callable(found):
        yield Error("CSMS_FISCAL_REGISTRAR names no callable that exists.", id="kubat.E018")


def _check_place() -> Iterator[CheckMessage]:
    if not 0 <= settings.CSMS_RECONCILE_HOUR <= 23:
        yield Error("CSMS_RECONCILE_HOUR is an hour from 0 to 23.", id="kubat.E020")
    if settings.CSMS_TIME_ZONE not in zoneinfo.available_timezones():
        yield Error("CSMS_TIME_ZONE is a name like Asia/Bishkek.", id="kubat.E007")
    if settings.CSMS_PHONE_REGION not in phonenumbers.SUPPORTED_REGIONS:
        yield Error("CSMS_PHONE_REGION is a code of two letters like KG.", id="kubat.E008")


def _check_network() -> Iterator[CheckMessage]:
    if settings.CSMS_UNKNOWN_STATIONS not in {"refuse", "pending"}:
        yield Error("CSMS_UNKNOWN_STATIONS is refuse or pending.", id="kubat.E002")
    if settings.CSMS_SERVER not in SERVERS:
        yield Error("CSMS_SERVER is daphne or uvicorn.", id="kubat.E024")
    if settings.CSMS_CLIENT_CERTIFICATES not in {"verified", "issued"}:
        yield Error("CSMS_CLIENT_CERTIFICATES is verified or issued.", id="kubat.E022")
    if settings.CSMS_CERTIFICATE_RENEW_DAYS >= settings.CSMS_CERTIFICATE_DAYS:
        text = "CSMS_CERTIFICATE_RENEW_DAYS must be less than CSMS_CERTIFICATE_DAYS."
        yield Error(text, id="kubat.E023")
    for name in ("CSMS_TRUSTED_PROXIES", "CSMS_OSMP_ADDRESSES"):
        for address in getattr(settings, name):
            try:
                ipaddress.ip_network(address, strict=False)
            except ValueError:
                yield Error(
                    f"{name}: {address} is neither an address nor a network.", id="kubat.E009"
                )
    if settings.DEBUG and not set(settings.ALLOWED_HOSTS) <= LOCAL_HOSTS:
        yield Error("DEBUG shows secrets: not with public ALLOWED_HOSTS.", id="kubat.E010")
    if settings.CSMS_UPLOAD_URL and not _is_upload_address(settings.CSMS_UPLOAD_URL):
        yield Error("CSMS_UPLOAD_URL begins with ftp, ftps, sftp, http or https.", id="kubat.E021")


def _check_payments() -> Iterator[CheckMessage]:
    if settings.CSMS_OSMP_MAX < settings.CSMS_OSMP_MIN:
        yield Error("Below CSMS_OSMP_MIN, CSMS_OSMP_MAX takes nothing.", id="kubat.E012")
    if settings.CSMS_PUBLIC_URL and not _is_address(settings.CSMS_PUBLIC_URL):
        yield Error("CSMS_PUBLIC_URL is like https://kubat.example.org.", id="kubat.E013")
    freedompay = urllib.parse.urlsplit(settings.CSMS_FREEDOMPAY_URL)
    if freedompay.scheme != "https" and freedompay.hostname not in LOCAL_HOSTS:
        yield Error("CSMS_FREEDOMPAY_URL begins with https.", id="kubat.E014")
    shop = bool(settings.CSMS_FREEDOMPAY_MERCHANT_ID), bool(settings.CSMS_FREEDOMPAY_SECRET)
    if shop[0] != shop[1]:
        yield Error("FreedomPay needs a merchant and a secret, or neither.", id="kubat.E015")
    if bool(settings.CSMS_OSMP_KEY) != bool(settings.CSMS_OSMP_ADDRESSES):
        yield Error("Terminals need CSMS_OSMP_KEY and CSMS_OSMP_ADDRESSES.", id="kubat.E016")
    if all(shop) and not settings.CSMS_PUBLIC_URL:
        yield Error("FreedomPay reports to CSMS_PUBLIC_URL, which is not set.", id="kubat.E017")
    if settings.CSMS_SANDBOX_PAYMENTS and (all(shop) or settings.CSMS_OSMP_KEY):
        yield Warning(
            "CSMS_SANDBOX_PAYMENTS lets drivers credit themselves beside real payments.",
            id="kubat.W002",
        )


def _check_notices() -> Iterator[CheckMessage]:
    if settings.CSMS_SMS_URL and "{phone}" not in settings.CSMS_SMS_URL:
        yield Error("CSMS_SMS_URL names the phone by {phone}.", id="kubat.E040")
    if settings.CSMS_NOTICE_LANGUAGE not in dict(settings.LANGUAGES):
        yield Error("CSMS_NOTICE_LANGUAGE is ky, ru or en.", id="kubat.E041")
    if settings.CSMS_NEARLY_USED_PERCENT > 100:
        yield Error("CSMS_NEARLY_USED_PERCENT is at most 100.", id="kubat.E042")
    if bool(settings.CSMS_TELEGRAM_TOKEN) != bool(settings.CSMS_TELEGRAM_BOT):
        yield Error("Telegram needs the token and the name of a bot.", id="kubat.E043")
    telegram = urllib.parse.urlsplit(settings.CSMS_TELEGRAM_URL)
    if telegram.scheme != "https" and telegram.hostname not in LOCAL_HOSTS:
        yield Error("CSMS_TELEGRAM_URL begins with https.", id="kubat.E044")
    if settings.EMAIL_URL and not settings.CSMS_MAIL_FROM:
        yield Error("Mail needs CSMS_MAIL_FROM, who it is from.", id="kubat.E045")


def _is_address(text: str) -> bool:
    parts = urllib.parse.urlsplit(text)
    has_host = parts.scheme in ("http", "https") and bool(parts.hostname)
    return has_host and parts.path in ("", "/") and not parts.query and not parts.fragment


def _is_upload_address(text: str) -> bool:
    parts = urllib.parse.urlsplit(text)
    return parts.scheme in ("ftp", "ftps", "sftp", "http", "https") and bool(parts.hostname)


def _check_data() -> Iterator[CheckMessage]:
    try:
        _ = settings.SECRET_KEY  # Django raises where it is empty
    except ImproperlyConfigured:
        yield Error("SECRET_KEY must be set for this database.", id="kubat.E001")
    if settings.IS_SECRET_KEY_MADE and not settings.IS_SQLITE:
        yield Warning(
            "SECRET_KEY is not set, so this checkout made its own.",
            hint="Give every host the same SECRET_KEY, or log-ins end when they change hosts.",
            id="kubat.W003",
        )
    if settings.IS_SQLITE and settings.REDIS_URL:
        yield Warning(
            "REDIS_URL joins several processes, and SQLite allows one.",
            hint="Set DATABASE_URL to PostgreSQL, or leave REDIS_URL out.",
            id="kubat.W001",
        )
    if not settings.IS_SQLITE:
        size = settings.DATABASE["OPTIONS"]["pool"]["max_size"]
        if size < settings.CSMS_GATEWAY_THREADS + OTHER_CONNECTIONS:
            yield Error(
                "CSMS_DATABASE_POOL_SIZE must exceed CSMS_GATEWAY_THREADS "
                f"by {OTHER_CONNECTIONS} at least.",
                id="kubat.E011",
            )
