"""Numbers, money and times as people of each language write them."""

import datetime as dt
from decimal import Decimal

from .languages import Language

NO_BREAK = "\u00a0"
MINUS = "\u2212"
EN_DASH = "\u2013"


def number(text: str, language: Language) -> str:
    """Write a decimal string in groups of three, with all its decimals."""
    return (
        f"{Decimal(text):,f}".replace(",", "\0")
        .replace(".", language.decimal)
        .replace("\0", language.thousands)
        .replace("-", MINUS)
    )


def quantity(text: str, language: Language) -> str:
    """Write a quantity with at most three decimals, and none that say nothing."""
    rounded = f"{Decimal(text).quantize(Decimal('0.001')):f}"
    return number(rounded.rstrip("0").rstrip("."), language)


def money(text: str, currency: str, language: Language) -> str:
    return f"{number(text, language)}{NO_BREAK}{currency_name(currency, language)}"


def currency_name(currency: str, language: Language) -> str:
    """The som by its name: few fonts have its sign."""
    return language.som if currency == "KGS" else currency


def clock(at: dt.datetime, language: Language) -> str:
    """Write a local moment, where its place is known."""
    return f"{at.strftime(language.date)}, {at:%H:%M}"


def moment(at: dt.datetime, language: Language) -> str:
    """Write a local moment, and how far its clock is from UTC."""
    return f"{clock(at, language)} ({_offset(at)})"


def duration(length: dt.timedelta, language: Language) -> str:
    hours, minutes = divmod(round(length.total_seconds() / 60), 60)
    parts = [f"{hours}{NO_BREAK}{language.hours}"] if hours else []
    return " ".join([*parts, f"{minutes}{NO_BREAK}{language.minutes}"])


def _offset(local: dt.datetime) -> str:
    text = f"{local:%z}"
    hours, minutes = text[1:3].lstrip("0") or "0", text[3:5]
    sign = "+" if text[0] == "+" else MINUS
    return f"UTC{sign}{hours}" if minutes == "00" else f"UTC{sign}{hours}:{minutes}"
