"""Use cases of id tags: find, add, change, remove. A tag is one tag in any letter case."""

import datetime as dt
from typing import TypedDict

from django.db import IntegrityError, transaction

from billing.errors import Invalid
from billing.models import User
from stations import audit

from .errors import IdTagNotFound
from .models import IdTag

MAX_IDENTITY_LENGTH = 40


class TagValues(TypedDict, total=False):
    """What staff may say of a tag; `user` None makes it the operator's: no hold, no charge."""

    id_tag: str
    user: User | None
    status: str
    parent_id_tag: str
    expires_at: dt.datetime | None


def find_tag(id_tag: str) -> IdTag:
    """Return the tag of this text in any letter case. Raises IdTagNotFound."""
    tag = IdTag.objects.select_related("user").filter(identity=id_tag.casefold()).first()
    if tag is None:
        raise IdTagNotFound
    return tag


@transaction.atomic
def add_tag(values: TagValues, *, actor: User, reason: str = "") -> IdTag:
    """Add a tag. Raises Invalid for a text that is taken or cannot be printed."""
    tag = IdTag()
    _apply(tag, values)
    audit.record(actor, audit.ADDITION, tag, reason=reason)
    return tag


@transaction.atomic
def change_tag(id_tag: str, values: TagValues, *, actor: User, reason: str = "") -> IdTag:
    """Change what `values` names and nothing else. Raises IdTagNotFound, Invalid."""
    tag = IdTag.objects.select_for_update(of=("self",)).get(pk=find_tag(id_tag).pk)
    _apply(tag, values)
    audit.record(actor, audit.CHANGE, tag, ", ".join(sorted(values)), reason=reason)
    return tag


@transaction.atomic
def remove_tag(id_tag: str, *, actor: User, reason: str = "") -> None:
    """Remove a tag; the sessions that it started keep its text. Raises IdTagNotFound."""
    tag = find_tag(id_tag)
    audit.record(actor, audit.DELETION, tag, reason=reason)
    tag.delete()


def _apply(tag: IdTag, values: TagValues) -> None:
    for name, value in values.items():
        setattr(tag, name, value)
    _check_text("id_tag", tag.id_tag)
    _check_text("parent_id_tag", tag.parent_id_tag)
    tag.identity = tag.id_tag.casefold()
    try:
        with transaction.atomic():
            tag.save()
    except IntegrityError:
        raise Invalid(fields={"id_tag": ["This tag exists already."]}) from None


def _check_text(name: str, text: str) -> None:
    """Refuse what no card carries. Some letters grow when their case is folded."""
    if not text.isprintable():
        raise Invalid(fields={name: ["Use printable characters only."]})
    if len(text.casefold()) > MAX_IDENTITY_LENGTH:
        raise Invalid(fields={name: ["This tag is too long to be compared without case."]})
