"""A statement on paper: A4, as many pages as it takes."""

import datetime as dt

from django.conf import settings

from ..money import to_text
from . import write
from .languages import LANGUAGES, Language
from .paper import ACCENT, QUIET, Column, Paper
from .statement import Statement
from .statement_words import description, in_text, out_text


def to_pdf(statement: Statement, language_code: str, *, created_at: dt.datetime) -> bytes:
    """Render a statement as it was drawn up at `created_at`."""
    words = LANGUAGES[language_code]
    paper = Paper(size="A4", title=words.statement, language=words, created_at=created_at)
    _head(paper, statement, words, created_at)
    currency = write.currency_name(statement.account.currency, words)
    columns = (
        Column(words.date_heading, paper.epw * 0.18),
        Column(words.movement, paper.epw * 0.40),
        *(
            Column(f"{word}, {currency}", paper.epw * 0.14, "R")
            for word in (words.money_in, words.money_out, words.balance)
        ),
    )
    paper.begin_table(columns)
    _movements(paper, columns, statement, words)
    _sums(paper, columns, statement, words)
    return paper.to_bytes()


def _head(paper: Paper, statement: Statement, words: Language, created_at: dt.datetime) -> None:
    paper.pen(15, is_bold=True)
    paper.paragraph(settings.CSMS_SELLER_NAME, 7)
    paper.ln(2)
    paper.rule(ACCENT, width=0.9)
    paper.ln(5)
    paper.pen(13, ACCENT, is_bold=True)
    paper.paragraph(words.statement, 6.5)
    paper.pen(8.5)
    period, owner = statement.period, statement.account.owner
    first, last = (day.strftime(words.date) for day in (period.first, period.last))
    drawn_up = write.moment(created_at.astimezone(period.zone), words)
    name = owner.get_full_name() if owner else statement.account.get_kind_display()
    facts = (
        (words.account, name),
        (words.period, f"{first} {write.EN_DASH} {last}"),
        (words.issued_at, drawn_up),
    )
    columns = (Column("", paper.epw * 0.18), Column("", paper.epw * 0.82))
    for fact in facts:
        paper.row(columns, fact, height=5)
    paper.ln(4)


def _movements(
    paper: Paper, columns: tuple[Column, ...], statement: Statement, words: Language
) -> None:
    paper.pen(8, is_bold=True)
    opening = _amount(to_text(statement.opening_minor), words)
    paper.row(columns, ("", words.opening, "", "", opening), height=5.5)
    paper.pen(8)
    zone = statement.period.zone
    for movement in statement.movements:
        texts = (
            write.clock(movement.at.astimezone(zone), words),
            description(movement, words),
            _amount(in_text(movement), words),
            _amount(out_text(movement), words),
            _amount(to_text(movement.balance_minor), words),
        )
        paper.row(columns, texts, height=5)
    if not statement.movements:
        paper.pen(8, QUIET)
        paper.row(columns, ("", words.nothing_moved, "", "", ""), height=5)


def _sums(paper: Paper, columns: tuple[Column, ...], statement: Statement, words: Language) -> None:
    paper.end_table()
    paper.pen(8, is_bold=True)
    sums = (_amount(to_text(n), words) for n in (statement.in_minor, statement.out_minor))
    closing = _amount(to_text(statement.closing_minor), words)
    paper.row(columns, ("", words.turnover, *sums, ""), height=5.5)
    paper.row(columns, ("", words.closing, "", "", closing), height=5.5)


def _amount(text: str, words: Language) -> str:
    return write.number(text, words) if text else ""
