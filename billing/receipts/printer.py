"""PDFs on demand: the library that draws them would add a quarter to the start of each process."""

import datetime as dt

from .layout import Document
from .statement import Statement


def print_receipt(document: Document) -> bytes:
    """Render a receipt; the same document gives the same bytes."""
    from .pdf import to_pdf

    return to_pdf(document)


def print_statement(statement: Statement, language_code: str, *, created_at: dt.datetime) -> bytes:
    """Render a statement as it was drawn up at `created_at`."""
    from .statement_pdf import to_pdf

    return to_pdf(statement, language_code, created_at=created_at)
