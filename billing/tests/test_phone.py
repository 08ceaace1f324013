import pytest

from billing.phone import to_e164


@pytest.mark.parametrize(
    "text",
    [
        "+996700123456",
        "0700123456",
        "700123456",
        " 0700 12-34-56 ",
        "+996 (700) 12.34.56",
        "00996700123456",
    ],
)
def test_every_usual_spelling_is_one_number(text):
    assert to_e164(text) == "+996700123456"


def test_a_number_of_another_country_keeps_it():
    assert to_e164("+7 701 123 45 67") == "+77011234567"


def test_local_numbers_are_those_of_the_region(settings):
    settings.CSMS_PHONE_REGION = "KZ"
    assert to_e164("8 701 123 45 67") == "+77011234567"


@pytest.mark.parametrize(
    "text",
    ["", "12345", "alice1234567", "+", "alice@example.org", "+996700123456789", "0700 ABC DEF"],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError):
        to_e164(text)
