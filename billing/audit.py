"""Who did what, and why (P10), in the log that the back office also shows."""

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models

from .models import User

__all__ = ["ADDITION", "CHANGE", "DELETION", "record"]


def record(by: User, act: int, row: models.Model, what: str = "", *, reason: str = "") -> None:
    """Log one privileged act in the caller's transaction; a deletion is logged before it."""
    LogEntry.objects.create(
        user=by,
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=act,
        change_message=" · ".join(part for part in (what, reason) if part),
    )
