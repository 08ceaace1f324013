"""A statement as a table for spreadsheets and accountants: the numbers plain, a point in them."""

import csv
import io
from collections.abc import Iterator

from ..money import to_text
from .languages import LANGUAGES, Language
from .statement import Movement, Statement
from .statement_words import description, in_text, out_text

BOM = "\ufeff"
"""Without it spreadsheets take the text for another encoding."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(statement: Statement, language_code: str) -> str:
    """Render a statement: its opening balance first, the sums and its closing balance last."""
    file = io.StringIO()
    csv.writer(file).writerows(_rows(statement, LANGUAGES[language_code]))
    return BOM + file.getvalue()


def _rows(statement: Statement, words: Language) -> Iterator[tuple[str, ...]]:
    currency = statement.account.currency
    amounts = (f"{word}, {currency}" for word in (words.money_in, words.money_out, words.balance))
    yield (words.date_heading, words.movement, *amounts)
    period = statement.period
    yield (period.first.isoformat(), words.opening, "", "", to_text(statement.opening_minor))
    for movement in statement.movements:
        yield _row(movement, statement, words)
    sums = (to_text(statement.in_minor), to_text(statement.out_minor))
    yield (period.last.isoformat(), words.closing, *sums, to_text(statement.closing_minor))


def _row(movement: Movement, statement: Statement, words: Language) -> tuple[str, ...]:
    local = movement.at.astimezone(statement.period.zone)
    return (
        local.isoformat(sep=" ", timespec="seconds"),
        _harmless(description(movement, words)),
        in_text(movement),
        out_text(movement),
        to_text(movement.balance_minor),
    )


def _harmless(text: str) -> str:
    """A text that a spreadsheet would run as a formula is shown instead."""
    return f"'{text}" if text.startswith(FORMULA) else text
