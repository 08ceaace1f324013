"""Phone numbers: any usual spelling in, E.164 inside."""

import re

import phonenumbers
from django.conf import settings

# phonenumbers would read letters as a dial pad: "alice1234" is no phone.
_SPELLING = re.compile(r"\+?[0-9 ()./\-\u00a0]+")


def to_e164(text: str) -> str:
    """Return a number in E.164 ("+996700123456"); without a country it is one of ours.

    Raises ValueError when its length cannot be one. Whether it is in use is not asked: numbering
    plans change faster than any table of them.
    """
    text = text.strip()
    if not _SPELLING.fullmatch(text):
        raise ValueError(f"{text!r} is no phone number")
    try:
        number = phonenumbers.parse(text, settings.CSMS_PHONE_REGION)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"{text!r} is no phone number") from error
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueError(f"{text!r} is no phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
