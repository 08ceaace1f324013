"""Every word that a document can contain, in each language; mypy finds what is missing."""

from dataclasses import dataclass
from typing import Literal

Code = Literal["en", "ru", "ky"]


@dataclass(frozen=True, slots=True)
class Language:
    """How one language writes numbers and dates, and its words."""

    code: Code
    decimal: str
    thousands: str
    date: str
    som: str

    # A receipt.
    receipt: str
    correction: str
    number: str
    issued_at: str
    tax_id: str
    place: str
    address: str
    connector: str
    time: str
    hours: str
    minutes: str
    energy: str
    tariff: str
    what: str
    quantity: str
    unit_price: str
    amount: str
    total: str
    not_charged: str
    paid: str
    tax: str
    vat: str
    corrects: str
    paid_in_all: str
    paid_before: str
    collected: str
    returned: str
    fiscal_number: str
    thanks: str
    correction_note: str
    page: str
    lines: dict[str, str]
    units: dict[str, str]

    # A statement.
    statement: str
    period: str
    account: str
    opening: str
    closing: str
    date_heading: str
    movement: str
    money_in: str
    money_out: str
    balance: str
    turnover: str
    nothing_moved: str
    movements: dict[str, str]


ENGLISH = Language(
    code="en",
    decimal=".",
    thousands=",",
    date="%d %b %Y",
    som="som",
    receipt="Receipt",
    correction="Correction",
    number="No.",
    issued_at="Issued",
    tax_id="Tax number",
    place="Station",
    address="Address",
    connector="Connector",
    time="Time",
    hours="h",
    minutes="min",
    energy="Energy",
    tariff="Tariff",
    what="Item",
    quantity="Quantity",
    unit_price="Price",
    amount="Amount",
    total="Total",
    not_charged="Not charged",
    paid="Paid",
    tax="tax included",
    vat="VAT {percent} % included",
    corrects="Corrects",
    paid_in_all="Paid in all",
    paid_before="Paid before",
    collected="Paid in addition",
    returned="Returned",
    fiscal_number="Fiscal number",
    thanks="Thank you for charging with us!",
    correction_note="The receipt stays as it was issued; this document states what changed.",
    page="Page {page} of {pages}",
    lines={
        "ENERGY": "Electricity",
        "TIME": "Charging time",
        "PARKING_TIME": "Parking after the charge",
        "FLAT": "Flat fee",
        "MIN_PRICE": "Up to the least price",
        "MAX_PRICE": "Reduction to the highest price",
    },
    units={"kWh": "kWh", "h": "h", "session": "×"},
    statement="Account statement",
    period="Period",
    account="Account",
    opening="Opening balance",
    closing="Closing balance",
    date_heading="Date",
    movement="Movement",
    money_in="In",
    money_out="Out",
    balance="Balance",
    turnover="Total",
    nothing_moved="Nothing moved in this period.",
    movements={
        "topup": "Top-up",
        "charge": "Charging",
        "tax": "Tax",
        "loss": "Loss",
        "correction": "Correction of a charge",
        "adjustment": "Adjustment by the operator",
        "fee": "Fee",
        "refund": "Refund of a top-up",
        "payout": "Balance paid out",
        "chargeback": "Chargeback of a top-up",
    },
)

RUSSIAN = Language(
    code="ru",
    decimal=",",
    thousands="\u00a0",
    date="%d.%m.%Y",
    som="сом",
    receipt="Квитанция",
    correction="Корректировка",
    number="№",
    issued_at="Выдана",
    tax_id="ИНН",
    place="Станция",
    address="Адрес",
    connector="Разъём",
    time="Время",
    hours="ч",
    minutes="мин",
    energy="Энергия",
    tariff="Тариф",
    what="Наименование",
    quantity="Количество",
    unit_price="Цена",
    amount="Сумма",
    total="Итого",
    not_charged="Не взимается",
    paid="Оплачено",
    tax="в том числе налог",
    vat="в том числе НДС {percent} %",
    corrects="Исправляет",
    paid_in_all="Оплачено всего",
    paid_before="Оплачено ранее",
    collected="Доплачено",
    returned="Возвращено",
    fiscal_number="Фискальный номер",
    thanks="Спасибо, что заряжаетесь у нас!",
    correction_note="Квитанция остаётся прежней; этот документ сообщает, что изменилось.",
    page="Страница {page} из {pages}",
    lines={
        "ENERGY": "Электроэнергия",
        "TIME": "Время зарядки",
        "PARKING_TIME": "Стоянка после зарядки",
        "FLAT": "Фиксированная плата",
        "MIN_PRICE": "Доплата до наименьшей цены",
        "MAX_PRICE": "Скидка до наибольшей цены",
    },
    units={"kWh": "кВт·ч", "h": "ч", "session": "×"},
    statement="Выписка по счёту",
    period="Период",
    account="Счёт",
    opening="Остаток на начало",
    closing="Остаток на конец",
    date_heading="Дата",
    movement="Операция",
    money_in="Поступление",
    money_out="Списание",
    balance="Остаток",
    turnover="Обороты",
    nothing_moved="За этот период движений не было.",
    movements={
        "topup": "Пополнение",
        "charge": "Зарядка",
        "tax": "Налог",
        "loss": "Убыток",
        "correction": "Корректировка зарядки",
        "adjustment": "Корректировка оператором",
        "fee": "Комиссия",
        "refund": "Возврат пополнения",
        "payout": "Выплата остатка",
        "chargeback": "Отзыв платежа банком",
    },
)

KYRGYZ = Language(
    code="ky",
    decimal=",",
    thousands="\u00a0",
    date="%d.%m.%Y",
    som="сом",
    receipt="Дүмүрчөк",
    correction="Оңдоо",
    number="№",
    issued_at="Берилди",
    tax_id="ИНН",
    place="Станция",
    address="Дареги",
    connector="Туташтыргыч",
    time="Убактысы",
    hours="с",
    minutes="мүн",
    energy="Энергия",
    tariff="Тариф",
    what="Аталышы",
    quantity="Саны",
    unit_price="Баасы",
    amount="Суммасы",
    total="Жыйынтыгы",
    not_charged="Акы алынбайт",
    paid="Төлөндү",
    tax="анын ичинде салык",
    vat="анын ичинде КНС {percent} %",
    corrects="Оңдойт",
    paid_in_all="Жалпы төлөндү",
    paid_before="Мурда төлөнгөн",
    collected="Кошумча төлөндү",
    returned="Кайтарылды",
    fiscal_number="Фискалдык номер",
    thanks="Бизден кубаттаганыңыз үчүн рахмат!",
    correction_note="Дүмүрчөк мурдагыдай калат; бул документ эмне өзгөргөнүн билдирет.",
    page="{pages} беттин {page}-бети",
    lines={
        "ENERGY": "Электр энергиясы",
        "TIME": "Кубаттоо убактысы",
        "PARKING_TIME": "Кубаттоодон кийин туруу",
        "FLAT": "Белгиленген төлөм",
        "MIN_PRICE": "Эң төмөнкү баага чейин кошумча",
        "MAX_PRICE": "Эң жогорку баага чейин арзандатуу",
    },
    units={"kWh": "кВт·саат", "h": "саат", "session": "×"},
    statement="Эсептин көчүрмөсү",
    period="Мезгил",
    account="Эсеп",
    opening="Баштапкы калдык",
    closing="Акыркы калдык",
    date_heading="Күнү",
    movement="Операция",
    money_in="Кирди",
    money_out="Чыкты",
    balance="Калдык",
    turnover="Жүгүртүү",
    nothing_moved="Бул мезгилде эч нерсе жылган жок.",
    movements={
        "topup": "Толуктоо",
        "charge": "Кубаттоо",
        "tax": "Салык",
        "loss": "Чыгым",
        "correction": "Кубаттоону оңдоо",
        "adjustment": "Оператордун оңдоосу",
        "fee": "Комиссия",
        "refund": "Толуктоону кайтаруу",
        "payout": "Калдыкты төлөп берүү",
        "chargeback": "Банк кайтарып алган төлөм",
    },
)

LANGUAGES: dict[str, Language] = {row.code: row for row in (ENGLISH, RUSSIAN, KYRGYZ)}
