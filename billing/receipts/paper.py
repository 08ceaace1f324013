"""PDF pages in Kubat's hand: fonts, colours, and the same bytes for the same content."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import segno
from fpdf import FPDF

from .languages import Language

FONTS = Path(__file__).parent / "fonts"
FONT = "DejaVu"
Align = Literal["L", "C", "R"]
Colour = tuple[int, int, int]

INK: Colour = (31, 41, 55)
QUIET: Colour = (107, 114, 128)
ACCENT: Colour = (4, 120, 87)
LINE: Colour = (209, 213, 219)
TINT: Colour = (236, 253, 245)
SIZES = {"A4": (210, 297), "A5": (148, 210)}
QR_QUIET_ZONE = 2
"""Modules of white around a code; the page around it is white, too."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its width in mm, and which side its text keeps to."""

    heading: str
    width: float
    align: Align = "L"


class Paper(FPDF):
    """A document of which its caller decides everything: no clock, no chance.

    The same content gives the same bytes, with the same release of the library: the creation
    date is the caller's, and the identifier is a digest of the content. Lengths are in mm.
    """

    def __init__(
        self, *, size: Literal["A4", "A5"], title: str, language: Language, created_at: dt.datetime
    ) -> None:
        super().__init__(format=SIZES[size])
        self.heading = title
        self.language = language
        self.columns: Sequence[Column] = ()
        self.set_title(title)
        self.set_lang(language.code)
        self.set_creation_date(created_at)
        self.set_producer("Kubat")
        self.set_margin(12)
        self.c_margin = 0
        self.set_auto_page_break(True, margin=16)
        self.add_font(FONT, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FONT, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.add_page()

    def footer(self) -> None:
        """Say on each page what it is a page of."""
        self.set_y(-11)
        self.pen(6.5, QUIET)
        pages = self.language.page.format(page=self.page_no(), pages=self.str_alias_nb_pages)
        self.cell(text=f"{self.heading}  ·  {pages}")

    def to_bytes(self) -> bytes:
        return bytes(self.output())

    def pen(self, size: float, colour: Colour = INK, *, is_bold: bool = False) -> None:
        self.set_font(FONT, "B" if is_bold else "", size)
        self.set_text_color(*colour)

    def paragraph(self, text: str, height: float, *, align: Align = "L") -> None:
        self.multi_cell(w=self.epw, h=height, text=text, align=align, new_x="LMARGIN", new_y="NEXT")

    def rule(self, colour: Colour = LINE, *, width: float = 0.2) -> None:
        """A line from margin to margin."""
        self.set_draw_color(*colour)
        self.set_line_width(width)
        self.line(self.l_margin, self.y, self.l_margin + self.epw, self.y)

    def header(self) -> None:
        """Head the columns again where a table goes on."""
        if self.columns:
            self._headings(self.columns)

    def begin_table(self, columns: Sequence[Column]) -> None:
        self._headings(columns)
        self.columns = columns

    def end_table(self) -> None:
        self.columns = ()
        self.ln(1)
        self.rule()
        self.ln(2)

    def _headings(self, columns: Sequence[Column]) -> None:
        self.pen(7, QUIET)
        self.row(columns, [column.heading for column in columns], height=5)
        self.rule()
        self.ln(1)

    def row(self, columns: Sequence[Column], texts: Sequence[str], *, height: float) -> None:
        """One row of a table; a text that is too long for its column goes on below."""
        self._break_before(columns, texts, height)
        top = bottom = self.y
        left = self.l_margin
        for column, text in zip(columns, texts, strict=True):
            self.set_xy(left, top)
            self.multi_cell(
                w=column.width, h=height, text=text, align=column.align, new_x="RIGHT", new_y="NEXT"
            )
            bottom, left = max(bottom, self.y), left + column.width
        self.set_xy(self.l_margin, bottom)

    def qr(self, text: str, *, left: float, top: float, side: float) -> None:
        """A code to be scanned, drawn as squares."""
        matrix = [bytes(row) for row in segno.make(text, micro=False).matrix]
        module = side / (len(matrix) + 2 * QR_QUIET_ZONE)
        self.set_fill_color(*INK)
        for line, bits in enumerate(matrix):
            for column, bit in enumerate(bits):
                if bit:
                    x = left + (column + QR_QUIET_ZONE) * module
                    y = top + (line + QR_QUIET_ZONE) * module
                    self.rect(x, y, module, module, style="F")

    def _break_before(self, columns: Sequence[Column], texts: Sequence[str], height: float) -> None:
        """Go to a new page when the whole row would not fit: its cells share one line."""
        lines = max(
            len(self.multi_cell(w=column.width, text=text, dry_run=True, output="LINES"))  # type: ignore[arg-type]
            for column, text in zip(columns, texts, strict=True)
        )
        if self.will_page_break(lines * height):
            self.add_page()
