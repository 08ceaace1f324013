"""What drivers are told of their charges, in each language; mypy finds what is missing. Pure.

An SMS in Cyrillic has 70 characters, or twice 67; the place is cut at MOST_OF_PLACE for that.
"""

from dataclasses import dataclass

from billing.receipts.languages import Code

MOST_OF_PLACE = 24


@dataclass(frozen=True, slots=True)
class Words:
    ended: str
    limit: str
    released: str
    corrected: str
    nearly: str
    lost: str
    back: str
    failed: str


WORDS: dict[Code, Words] = {
    "en": Words(
        ended="{place} {time}: charged {energy} for {cost}.",
        limit="{place} {time}: limit reached, {energy} for {cost}.",
        released=" Released {amount}.",
        corrected="{place}: the bill is corrected: {before} before, now {cost}.",
        nearly="{place}: {used} of {most} used. Raise the limit in the app.",
        lost="{place}: no connection since {time}. You pay {most} at most.",
        back="{place}: connected again.",
        failed="{place}: charging did not start.",
    ),
    "ru": Words(
        ended="{place} {time}: заряжено {energy} за {cost}.",
        limit="{place} {time}: лимит исчерпан, {energy} за {cost}.",
        released=" Возвращено {amount}.",
        corrected="{place}: счёт исправлен: было {before}, стало {cost}.",
        nearly="{place}: ушло {used} из {most}. Продлить можно в приложении.",
        lost="{place}: нет связи с {time}. Вы заплатите не больше {most}.",
        back="{place}: связь восстановлена.",
        failed="{place}: зарядка не началась.",
    ),
    "ky": Words(
        ended="{place} {time}: {energy} кубатталды, {cost}.",
        limit="{place} {time}: лимит бүттү, {energy}, {cost}.",
        released=" Бошоду: {amount}.",
        corrected="{place}: эсеп оңдолду: мурда {before}, азыр {cost}.",
        nearly="{place}: {most} ичинен {used} кетти. Тиркемеден көбөйтсө болот.",
        lost="{place}: байланыш үзүлдү ({time}). Эң көп төлөм: {most}.",
        back="{place}: байланыш калыбына келди.",
        failed="{place}: кубаттоо башталган жок.",
    ),
}
