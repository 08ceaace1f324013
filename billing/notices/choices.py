"""Who is told what by which channel: what a person chose, else the default.

By default a person hears of what their own money did, at the address that they registered with.
"""

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db import transaction

from ..errors import Invalid
from ..models import NoticeChannel, NoticeKind, NoticePreference, User

DEFAULT_KINDS = (NoticeKind.CHARGING_ENDED, NoticeKind.LIMIT_REACHED, NoticeKind.MONEY)
OF_GUESTS = (*DEFAULT_KINDS, NoticeKind.START_FAILED)
"""A guest chooses nothing, and has walked away from the page that would tell."""


def enabled() -> tuple[NoticeChannel, ...]:
    """The channels that this installation has."""
    is_set = {
        NoticeChannel.EMAIL: settings.EMAIL_URL,
        NoticeChannel.SMS: settings.CSMS_SMS_URL,
        NoticeChannel.TELEGRAM: settings.CSMS_TELEGRAM_TOKEN,
    }
    return tuple(channel for channel, value in is_set.items() if value)


def preference_of(user: User) -> NoticePreference:
    """The row of a person, unsaved where there is none yet."""
    found = NoticePreference.objects.filter(user=user).first()
    return found or NoticePreference(user=user)


def address_of(preference: NoticePreference, channel: NoticeChannel) -> str:
    """Where a person is reached; empty where they are not."""
    user = preference.user
    match channel:
        case NoticeChannel.EMAIL:
            return preference.email or user.email or ""
        case NoticeChannel.SMS:
            return user.phone or ""
        case NoticeChannel.TELEGRAM:
            return str(preference.telegram_chat or "")


def chosen(preference: NoticePreference, kind: NoticeKind) -> list[NoticeChannel]:
    """The channels by which a person wants to hear of `kind`, whether they can be used or not."""
    if kind in preference.choices:
        return [NoticeChannel(channel) for channel in preference.choices[kind]]
    return default(preference, kind)


def default(preference: NoticePreference, kind: NoticeKind) -> list[NoticeChannel]:
    """What holds until a person chooses: the e-mail or phone that they registered with."""
    user = preference.user
    if kind not in (OF_GUESTS if user.is_guest else DEFAULT_KINDS):
        return []
    if preference.email or (user.email and user.username != user.phone):
        return [NoticeChannel.EMAIL]
    return [NoticeChannel.SMS] if user.phone else []


def usable(user: User, kinds: Sequence[NoticeKind]) -> list[NoticeChannel]:
    """The channels by which a person is told of something that is of any of these kinds."""
    channels = enabled()
    if not channels:
        return []  # the usual case in a test, and then it costs no query
    preference = preference_of(user)
    wanted = {channel for kind in kinds for channel in chosen(preference, kind)}
    return [one for one in channels if one in wanted and address_of(preference, one)]


@transaction.atomic
def choose(
    *, user: User, language: str | None, choices: Mapping[str, Sequence[str]]
) -> NoticePreference:
    """Keep what a person chose; a kind or language that is not named stays as it was.

    Raises Invalid for a channel that this installation has not, or that has no address.
    """
    NoticePreference.objects.get_or_create(user=user)
    preference = NoticePreference.objects.select_for_update().get(user=user)
    preference.user = user
    _check(preference, choices)
    kept = {kind: list(dict.fromkeys(channels)) for kind, channels in choices.items()}
    preference.choices = preference.choices | kept
    preference.save(update_fields=["choices", "changed_at"])
    if language is not None:
        user.language = language
        user.save(update_fields=["language"])
    return preference


def _check(preference: NoticePreference, choices: Mapping[str, Sequence[str]]) -> None:
    channels = enabled()
    problems: dict[str, list[str]] = {}
    for kind, wanted in choices.items():
        for channel in wanted:
            if channel not in channels:
                problems.setdefault(kind, []).append(f"There is no {channel} here.")
            elif not address_of(preference, NoticeChannel(channel)):
                problems.setdefault(kind, []).append(f"You have no address for {channel}.")
    if problems:
        raise Invalid(fields=problems)
