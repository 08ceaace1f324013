"""Use cases on configuration wishes: want, want otherwise, want no more. Each notes who and why.

A wish reaches stations at their next Boot, or when staff apply it; it is compared at once.
"""

from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.errors import Invalid
from billing.models import User

from . import audit, configuration_keys, key_table
from .errors import WishNotFound
from .masking import SECRET_KEYS
from .models import ConfigurationWish, Site, Station
from .models.configuration import scope_of


@transaction.atomic
def add_wish(
    *,
    key: str,
    value: str,
    by: User,
    reason: str = "",
    vendor: str = "",
    model: str = "",
    site: Site | None = None,
    station: Station | None = None,
) -> ConfigurationWish:
    """Want a value of a key, of all stations or of those that one scope names.

    Raises Invalid, also for a key that is wanted there already.
    """
    if sum((bool(vendor or model), site is not None, station is not None)) > 1:
        raise Invalid("Name a model, a site or a station, not several of them.")
    if bool(vendor) != bool(model):
        raise Invalid(fields={"model": ["Name a vendor and a model, or neither."]})
    wish = ConfigurationWish(
        scope=scope_of(vendor=vendor, model=model, site=site, station=station),
        vendor=vendor,
        model=model,
        site=site,
        station=station,
        key=_wishable(key),
        value=value,
    )
    try:
        with transaction.atomic():
            wish.save(force_insert=True)
    except IntegrityError:
        taken = "There is a wish for this key and these stations."
        raise Invalid(fields={"key": [taken]}) from None
    audit.record(by, audit.ADDITION, wish, reason=reason)
    key_table.refresh_all(wish.stations())
    return wish


@transaction.atomic
def change_wish(*, wish_id: int, value: str, by: User, reason: str = "") -> ConfigurationWish:
    """Want another value. Raises WishNotFound."""
    wish = _locked(wish_id)
    wish.value, wish.changed_at = value, timezone.now()
    wish.save(update_fields=["value", "changed_at"])
    audit.record(by, audit.CHANGE, wish, f"value: {value}", reason=reason)
    key_table.refresh_all(wish.stations())
    return wish


@transaction.atomic
def withdraw_wish(*, wish_id: int, by: User, reason: str = "") -> None:
    """Want it no more; stations keep the value until something else is wanted.

    Raises WishNotFound.
    """
    wish = _locked(wish_id)
    audit.record(by, audit.DELETION, wish, reason=reason)
    reached = wish.stations()
    wish.delete()
    key_table.refresh_all(reached)


def _wishable(key: str) -> str:
    if key.casefold() in SECRET_KEYS:
        raise Invalid(
            fields={"key": ["Each station has a key of its own: send it a new one from its page."]}
        )
    return configuration_keys.standard(key.strip())


def _locked(wish_id: int) -> ConfigurationWish:
    wish = ConfigurationWish.objects.select_for_update(no_key=True).filter(pk=wish_id).first()
    if wish is None:
        raise WishNotFound
    return wish
