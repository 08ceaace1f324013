"""A receipt on the screen: one page of HTML that asks nobody else for anything."""

import segno
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from .layout import Document

MODULE_PX = 4


def to_html(document: Document) -> str:
    """Render a receipt as a page that can be read, kept and printed by itself."""
    code = _qr(document.qr_text) if document.qr_text else ""
    return render_to_string("billing/receipt.html", {"document": document, "code": code})


def _qr(text: str) -> SafeString:
    code = segno.make(text, micro=False)
    # An image made of numbers alone: the text is drawn, not written.
    return mark_safe(code.svg_inline(scale=MODULE_PX))
