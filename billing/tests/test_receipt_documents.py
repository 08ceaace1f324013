"""What a receipt looks like: its words, its numbers, and the same bytes each time."""

import dataclasses
import io
import re

import pypdf
import pytest

from billing.models import FiscalRegistration, Transfer
from billing.pricing import Bill, Line
from billing.pricing.terms import DIMENSIONS
from billing.receipts import page, pdf
from billing.receipts.languages import LANGUAGES, Language
from billing.receipts.layout import lay_out

from .sales import SALE, bill_of, document

pytestmark = pytest.mark.django_db

BOUNDS = ("MIN_PRICE", "MAX_PRICE")


@pytest.fixture(autouse=True)
def seller(settings):
    settings.CSMS_SELLER_NAME = "ОсОО «Өң Үн»"
    settings.CSMS_SELLER_TAX_ID = "01234567890123"


def text_of(content):
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return "\n".join(each.extract_text() for each in pages).replace("\xa0", " ")


def paper(receipt, language="ru"):
    return pdf.to_pdf(lay_out(receipt, language))


def screen(receipt, language="ru"):
    return page.to_html(lay_out(receipt, language)).replace("\xa0", " ")


EXPECTED = {
    "en": (
        "Receipt No. 000001",
        "24 Nov 2026, 14:05 – 14:47 (42 min)",
        "98.5 kWh",
        "12.50 som/kWh",
        "1,231.25 som",
        "Not charged",
        "−31.25 som",
        "Paid",
        "1,200.00 som",
        "VAT 12 % included",
    ),
    "ru": (
        "Квитанция № 000001",
        "ИНН 01234567890123",
        "24.11.2026, 14:05 – 14:47 (42 мин)",
        "98,5 кВт·ч",
        "12,50 сом/кВт·ч",
        "1 231,25 сом",
        "Не взимается",
        "Оплачено",
        "1 200,00 сом",
        "в том числе НДС 12 %",
    ),
    "ky": (
        "Дүмүрчөк № 000001",
        "ОсОО «Өң Үн»",
        "Бишкек, төмөнкү кире бериш",
        "98,5 кВт·саат",
        "1 231,25 сом",
        "Төлөндү",
        "анын ичинде КНС 12 %",
    ),
}


@pytest.mark.parametrize("language", EXPECTED)
@pytest.mark.parametrize("render", [lambda *about: text_of(paper(*about)), screen])
def test_paper_and_screen_say_the_same(alice, language, render):
    text = render(document(alice, 120_000), language)
    for words in EXPECTED[language]:
        assert words in text


def test_the_same_receipt_is_the_same_bytes(alice, settings):
    receipt = document(alice)
    first = {language: paper(receipt, language) for language in LANGUAGES}
    settings.CSMS_SELLER_NAME = "Someone else"
    receipt.refresh_from_db()
    assert {language: paper(receipt, language) for language in LANGUAGES} == first
    assert len(set(first.values())) == 3


def test_the_letters_are_inside_the_file(alice):
    reader = pypdf.PdfReader(io.BytesIO(paper(document(alice), "ky")))
    (first,) = reader.pages
    fonts = [font.get_object() for font in first["/Resources"]["/Font"].values()]
    descriptors = [
        font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for font in fonts
    ]
    assert len(descriptors) == 2
    assert all("/FontFile2" in descriptor for descriptor in descriptors)
    assert reader.metadata.title.replace("\xa0", " ") == "Дүмүрчөк № 000001"


def test_a_charge_over_midnight_shows_both_dates(alice):
    sale = SALE | {"ended_at": "2026-11-24T19:05:00+00:00"}
    text = screen(document(alice, sale=sale))
    assert "24.11.2026, 14:05 – 25.11.2026, 01:05 (11 ч 0 мин)" in text


def test_a_correction_says_what_it_corrects_and_what_changed(alice):
    document(alice)
    text = text_of(paper(document(alice, 100_000)))
    for words in (
        "Корректировка № 000002",
        "№ 000001",
        "Оплачено всего",
        "1 000,00 сом",
        "Оплачено ранее",
        "1 231,25 сом",
        "Возвращено",
        "231,25 сом",
    ):
        assert words in text
    assert "Доплачено" in text_of(paper(document(alice, 120_000)))


def test_tax_of_mixed_rates_has_no_rate_and_no_tax_no_line(alice):
    lines = bill_of(100).lines + bill_of(100, vat="20").lines
    mixed = document(alice, 200, bill=Bill("KGS", lines))
    assert "в том числе налог: 0,28 сом" in screen(mixed)
    free = document(alice, 100, bill=bill_of(100, vat=""), reference="session:2")
    assert "том числе" not in screen(free)


def test_a_long_bill_goes_on_under_the_same_headings(alice):
    lines = bill_of(100).lines * 60
    reader = pypdf.PdfReader(io.BytesIO(paper(document(alice, 6000, bill=Bill("KGS", lines)))))
    assert len(reader.pages) == 3
    texts = [each.extract_text() for each in reader.pages]
    assert all("Количество" in text for text in texts[:2])
    assert all(f"Страница {number} из 3" in text for number, text in enumerate(texts, start=1))


def test_the_page_asks_nobody_else(alice):
    text = screen(document(alice))
    assert not re.search(r"""(?:src|href)=|url\(|@import|<script|//""", text)


def test_what_a_seller_writes_is_text(alice, settings):
    settings.CSMS_SELLER_NAME = "<script>alert(1)</script>"
    text = screen(document(alice))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_fiscal_number_and_its_code_are_shown(alice):
    receipt = document(alice)
    plain = paper(receipt)
    FiscalRegistration.objects.create(receipt=receipt, fiscal_number="F-77", qr_text="qr:F-77")
    receipt = type(receipt).objects.get()
    assert "Фискальный номер: F-77" in text_of(paper(receipt))
    assert len(paper(receipt)) > len(plain) + 1000, "the code is drawn"
    text = screen(receipt)
    assert "F-77" in text
    assert "<svg" in text
    assert "qr:F-77" not in text


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=list(LANGUAGES))
def test_no_word_is_missing_or_empty(language: Language):
    values = [getattr(language, field.name) for field in dataclasses.fields(language)]
    assert all(values)
    assert set(language.lines) == {*DIMENSIONS, *BOUNDS}
    assert set(language.movements) >= set(Transfer.Code)
    assert set(language.units) == {"kWh", "h", "session"}


@pytest.mark.parametrize("kind", [*DIMENSIONS, *BOUNDS])
def test_each_kind_of_line_has_words(alice, kind):
    line = dataclasses.replace(bill_of(100).lines[0], type=kind)
    assert isinstance(line, Line)
    receipt = document(alice, 100, bill=Bill("KGS", (line,)))
    for code, language in LANGUAGES.items():
        assert language.lines[kind] in screen(receipt, code)
