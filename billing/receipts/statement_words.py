"""The movements of a statement in words, for paper and for tables."""

from ..money import to_text
from .languages import Language
from .statement import Movement


def description(movement: Movement, language: Language) -> str:
    """Say what moved, why if staff said so, and which receipt tells more."""
    what = language.movements[movement.code]
    receipt = f"{language.receipt} {language.number} {movement.receipt}" if movement.receipt else ""
    return ", ".join(part for part in (what, receipt, movement.reason) if part)


def in_text(movement: Movement) -> str:
    return to_text(movement.change_minor) if movement.change_minor > 0 else ""


def out_text(movement: Movement) -> str:
    return to_text(-movement.change_minor) if movement.change_minor < 0 else ""
