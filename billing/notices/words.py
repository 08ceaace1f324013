"""What billing says in notices, in each language; mypy finds what is missing."""

from dataclasses import dataclass

from django.conf import settings

from ..models import User
from ..receipts import write
from ..receipts.languages import LANGUAGES, Code, Language


@dataclass(frozen=True, slots=True)
class Words:
    arrived: str
    sent_back: str

    # Around the text of an e-mail.
    subjects: dict[str, str]
    receipt: str
    why: str
    stranger: str

    # What the bot answers in Telegram.
    linked: str
    unlinked: str
    unknown_code: str


WORDS: dict[Code, Words] = {
    "en": Words(
        arrived="{amount} arrived on your account.",
        sent_back="{amount} is on its way back to you.",
        subjects={
            "charging_ended": "Your charge has ended",
            "limit_reached": "Your charge has reached its limit",
            "nearly_used": "Your limit is nearly used",
            "station_lost": "The connection to the station",
            "start_failed": "Charging did not start",
            "money": "Your account",
        },
        receipt="Receipt: {link}",
        why="You get this because you charge with {seller}. In the app you choose what you are "
        "told, and how.",
        stranger="If this is not yours, please tell us: {contact}",
        linked="Done: you are told of your charges here. /stop ends it.",
        unlinked="You are told nothing here any more.",
        unknown_code="This code is not known, or too old. Ask for a new one in the app.",
    ),
    "ru": Words(
        arrived="На ваш счёт поступило {amount}.",
        sent_back="Возврат {amount} отправлен.",
        subjects={
            "charging_ended": "Зарядка завершена",
            "limit_reached": "Зарядка остановлена по лимиту",
            "nearly_used": "Лимит почти исчерпан",
            "station_lost": "Связь со станцией",
            "start_failed": "Зарядка не началась",
            "money": "Ваш счёт",
        },
        receipt="Квитанция: {link}",
        why="Вы получили это письмо, потому что заряжаетесь у {seller}. Что и как вам сообщать, "
        "выбирается в приложении.",
        stranger="Если это не ваше, сообщите нам: {contact}",
        linked="Готово: о ваших зарядках вам сообщат здесь. /stop отключит сообщения.",
        unlinked="Больше сообщений здесь не будет.",
        unknown_code="Этот код неизвестен или устарел. Запросите новый в приложении.",
    ),
    "ky": Words(
        arrived="Эсебиңизге {amount} түштү.",
        sent_back="{amount} кайра жөнөтүлдү.",
        subjects={
            "charging_ended": "Кубаттоо аяктады",
            "limit_reached": "Кубаттоо лимит боюнча токтоду",
            "nearly_used": "Лимит бүтүп баратат",
            "station_lost": "Станция менен байланыш",
            "start_failed": "Кубаттоо башталган жок",
            "money": "Сиздин эсебиңиз",
        },
        receipt="Дүмүрчөк: {link}",
        why="Бул кат сизге {seller} кубаттоосун колдонгонуңуз үчүн келди. Эмнени кантип билдирүүнү "
        "тиркемеден тандайсыз.",
        stranger="Эгер бул сиздики эмес болсо, бизге билдириңиз: {contact}",
        linked="Даяр: кубаттооңуз тууралуу ушул жерге билдирилет. /stop аны өчүрөт.",
        unlinked="Мындан ары бул жерге билдирүү келбейт.",
        unknown_code="Бул код белгисиз же эскирген. Тиркемеден жаңысын сураңыз.",
    ),
}


def language_of(user: User) -> Code:
    """The language of a person, else that of this installation."""
    code = user.language or settings.CSMS_NOTICE_LANGUAGE
    return LANGUAGES[code].code if code in LANGUAGES else "en"


def money(amount_minor: int, code: Code) -> str:
    """Write money shortly: whole som without decimals."""
    language = LANGUAGES[code]
    major, minor = divmod(amount_minor, 100)
    text = str(major) if minor == 0 else f"{major}.{minor:02}"
    return plain(write.money(text, settings.CSMS_CURRENCY, language))


def quantity(value: str, unit: str, code: Code) -> str:
    """Write a quantity with its unit, as `LANGUAGES` names it, or with minutes."""
    language = LANGUAGES[code]
    return plain(f"{write.quantity(value, language)} {_unit(unit, language)}")


def plain(text: str) -> str:
    """Without the spaces that not every telephone knows."""
    return text.replace(write.NO_BREAK, " ")


def _unit(unit: str, language: Language) -> str:
    return language.minutes if unit == "min" else language.units[unit]
