"""A receipt on paper, on one page of A5 for as long as its bill is short."""

from .layout import Document, Row
from .paper import ACCENT, QUIET, TINT, Align, Column, Paper

QR_SIDE = 26.0


def to_pdf(document: Document) -> bytes:
    """Render a receipt; the same document gives the same bytes."""
    language = document.language
    paper = Paper(size="A5", title=document.title, language=language, created_at=document.issued_at)
    _head(paper, document)
    _facts(paper, document)
    _items(paper, document)
    _totals(paper, document.totals)
    _result(paper, document.result)
    _foot(paper, document)
    return paper.to_bytes()


def _head(paper: Paper, document: Document) -> None:
    seller = document.seller
    paper.pen(15, is_bold=True)
    paper.paragraph(seller["name"], 7)
    paper.pen(7.5, QUIET)
    tax_id = f"{document.language.tax_id} {seller['tax_id']}" if seller["tax_id"] else ""
    for text in (seller["address"], tax_id, seller["contact"]):
        if text:
            paper.paragraph(text, 3.8)
    paper.ln(2.5)
    paper.rule(ACCENT, width=0.9)
    paper.ln(5)
    paper.pen(13, ACCENT, is_bold=True)
    paper.paragraph(document.title, 6.5)
    paper.pen(8, QUIET)
    paper.paragraph(document.subtitle, 4.5)
    paper.ln(3)


def _facts(paper: Paper, document: Document) -> None:
    for fact in document.facts:
        _pair(paper, fact, size=8.5, height=5, label_share=0.24)
    paper.ln(4)


def _items(paper: Paper, document: Document) -> None:
    words, width = document.language, paper.epw
    columns = (
        Column(words.what, width * 0.40),
        Column(words.quantity, width * 0.24, "R"),
        Column(words.unit_price, width * 0.17, "R"),
        Column(words.amount, width * 0.19, "R"),
    )
    paper.begin_table(columns)
    paper.pen(8.5)
    for item in document.items:
        paper.row(columns, (item.what, item.quantity, item.unit_price, item.amount), height=5.2)
    paper.end_table()


def _totals(paper: Paper, totals: tuple[Row, ...]) -> None:
    for total in totals:
        _pair(paper, total, size=8.5, height=5.2, label_share=0.66, align="R")
    paper.ln(2)


def _result(paper: Paper, result: Row) -> None:
    """The one number that is looked for, in a box."""
    height = 13.0
    if paper.will_page_break(height):
        paper.add_page()
    paper.set_fill_color(*TINT)
    paper.rect(
        paper.l_margin, paper.y, paper.epw, height, style="F", round_corners=True, corner_radius=2
    )
    top = paper.y
    paper.set_xy(paper.l_margin + 4, top)
    paper.pen(9.5, ACCENT, is_bold=True)
    paper.cell(w=paper.epw * 0.5, h=height, text=result.label)
    paper.set_xy(paper.l_margin + paper.epw * 0.5, top)
    paper.pen(15, ACCENT, is_bold=True)
    paper.cell(w=paper.epw * 0.5 - 4, h=height, text=result.value, align="R")
    paper.set_xy(paper.l_margin, top + height + 2)


def _foot(paper: Paper, document: Document) -> None:
    paper.pen(7.5, QUIET)
    for note in document.notes:
        paper.paragraph(note, 4, align="R")
    paper.ln(3)
    if document.fiscal:
        _fiscal(paper, document.fiscal, document.qr_text)
    if document.farewell:
        paper.pen(8.5)
        paper.paragraph(document.farewell, 5, align="C")


def _fiscal(paper: Paper, fiscal: Row, qr_text: str) -> None:
    """The register's number, and its code below it."""
    if paper.will_page_break(QR_SIDE + 6):
        paper.add_page()
    paper.pen(7.5)
    paper.paragraph(f"{fiscal.label}: {fiscal.value}", 4.2, align="C")
    if qr_text:
        left = paper.l_margin + (paper.epw - QR_SIDE) / 2
        paper.qr(qr_text, left=left, top=paper.y, side=QR_SIDE)
        paper.set_y(paper.y + QR_SIDE)
    paper.ln(1)


def _pair(
    paper: Paper, row: Row, *, size: float, height: float, label_share: float, align: Align = "L"
) -> None:
    """A label and its value side by side; the share is of the page's width."""
    columns = (
        Column("", paper.epw * label_share),
        Column("", paper.epw * (1 - label_share), align),
    )
    paper.pen(size, is_bold=row.is_strong)
    paper.row(columns, (row.label, row.value), height=height)
