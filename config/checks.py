"""Wrong combinations of settings fail at start, not at the first charge."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors: list[CheckMessage] = []
    if not settings.SECRET_KEY:
        errors.append(Error("SECRET_KEY must be set for this database.", id="kubat.E001"))
    if settings.CSMS_UNKNOWN_STATIONS not in {"refuse", "pending"}:
        errors.append(Error("CSMS_UNKNOWN_STATIONS is refuse or pending.", id="kubat.E002"))
    if settings.CSMS_MIN_HOLD <= 0:
        errors.append(Error("CSMS_MIN_HOLD must be positive.", id="kubat.E003"))
    errors += [
        Error(f"{name} must be positive.", id="kubat.E004")
        for name in ("CSMS_CALL_TIMEOUT_S", "CSMS_STOP_TIMEOUT_S", "CSMS_LOST_AFTER_S")
        if getattr(settings, name) <= 0
    ]
    return errors
