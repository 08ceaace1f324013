"""Every kind of alert as data: its name, what it asks of people, and what resolves it.

The words are in the languages that a channel can have. A kind that is not listed is told by its
text alone.
"""

from dataclasses import dataclass
from enum import StrEnum


class Ends(StrEnum):
    """What resolves an alert of a kind."""

    RULE = "its rule, when the cause is gone"
    CAUSE = "the cause being gone, or staff"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in each language."""

    en: str
    ru: str
    ky: str

    def __getitem__(self, language: str) -> str:
        return {"en": self.en, "ru": self.ru, "ky": self.ky}[language]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of alert: `title` names it, `advice` says what to do."""

    name: str
    severity: str
    ends: Ends
    title: Words
    advice: Words


INFO, WARNING, CRITICAL = "info", "warning", "critical"
RULE, CAUSE, STAFF = Ends.RULE, Ends.CAUSE, Ends.STAFF

_SEE_PAYMENT = Words(
    "Look at the top-up and at the provider's own pages; then resolve this.",
    "Проверьте пополнение и кабинет провайдера, затем закройте тревогу.",
    "Толуктоону жана провайдердин кабинетин карап, анан муну жабыңыз.",
)
_SEE_KEY = Words(
    "Give the station its key again, or see who else knocks with its name.",
    "Верните станции её ключ или выясните, кто ещё подключается под её именем.",
    "Станциянын ачкычын кайра бериңиз же анын аты менен ким туташканын аныктаңыз.",
)

KINDS = (
    # --- Rules of config.watch --------------------------------------------------------------
    Kind(
        "station_offline",
        WARNING,
        RULE,
        Words("Station offline", "Станция не на связи", "Станция байланышта эмес"),
        Words(
            "Check its power and network.",
            "Проверьте питание и сеть станции.",
            "Станциянын электр тогун жана тармагын текшериңиз.",
        ),
    ),
    Kind(
        "site_offline",
        CRITICAL,
        RULE,
        Words("Whole site offline", "Вся площадка не на связи", "Бүт аянтча байланышта эмес"),
        Words(
            "Check the power and the router of the site.",
            "Проверьте питание и маршрутизатор площадки.",
            "Аянтчанын электр тогун жана маршрутизаторун текшериңиз.",
        ),
    ),
    Kind(
        "no_gateway",
        CRITICAL,
        RULE,
        Words(
            "No station is connected",
            "Ни одна станция не подключена",
            "Бир дагы станция туташкан эмес",
        ),
        Words(
            "See whether `serve` runs, and whether the proxy reaches it.",
            "Проверьте, работает ли `serve` и доходит ли до него прокси.",
            "`serve` иштеп жатканын жана прокси ага жетерин текшериңиз.",
        ),
    ),
    Kind(
        "device_flapping",
        CRITICAL,
        RULE,
        Words(
            "Two devices on one identity",
            "Два устройства под одним именем",
            "Бир аталышта эки түзмөк",
        ),
        Words(
            "Find the second device and give it an identity and a key of its own.",
            "Найдите второе устройство и дайте ему своё имя и ключ.",
            "Экинчи түзмөктү таап, ага өз аталышын жана ачкычын бериңиз.",
        ),
    ),
    Kind(
        "connector_faulted",
        WARNING,
        RULE,
        Words("Connector faulted", "Неисправен разъём", "Туташтыргыч бузулган"),
        Words(
            "See the error code; reset the station, or send someone.",
            "Посмотрите код ошибки; перезагрузите станцию или отправьте мастера.",
            "Ката кодун караңыз; станцияны кайра жүктөңүз же адис жөнөтүңүз.",
        ),
    ),
    Kind(
        "session_silent",
        WARNING,
        RULE,
        Words("Session without readings", "Зарядка без показаний", "Көрсөткүчсүз кубаттоо"),
        Words(
            "It is stopped by a worst case; see what the station is set to report.",
            "Она будет остановлена по худшему случаю; проверьте, что сообщает станция.",
            "Ал эң начар божомол боюнча токтотулат; станция эмне кабарлаарын караңыз.",
        ),
    ),
    Kind(
        "overshoot",
        WARNING,
        CAUSE,
        Words("Delivered past the limit", "Отпущено сверх лимита", "Чектен ашык энергия берилди"),
        Words(
            "See how fast the station stops and how often it reports.",
            "Проверьте, как быстро станция останавливается и как часто сообщает показания.",
            "Станция канчалык тез токтоорун жана канчалык көп кабарлаарын караңыз.",
        ),
    ),
    Kind(
        "books_unbalanced",
        CRITICAL,
        RULE,
        Words("Books do not balance", "Счета не сходятся", "Эсептер дал келбейт"),
        Words(
            "Run `reconcile` at once, and change nothing by hand.",
            "Сразу запустите `reconcile` и ничего не меняйте вручную.",
            "Дароо `reconcile` иштетиңиз жана колдон эчтеке өзгөртпөңүз.",
        ),
    ),
    Kind(
        "payment_stuck",
        WARNING,
        RULE,
        Words("Payment stuck", "Платёж завис", "Төлөм токтоп калды"),
        Words(
            "See whether the provider answers, and what it says of this payment.",
            "Проверьте, отвечает ли провайдер и что он говорит об этом платеже.",
            "Провайдер жооп береби жана бул төлөм тууралуу эмне дейт, караңыз.",
        ),
    ),
    Kind(
        "webhooks_unverified",
        WARNING,
        RULE,
        Words(
            "Unsigned payment messages",
            "Неподписанные сообщения о платежах",
            "Кол коюлбаган төлөм билдирүүлөрү",
        ),
        Words(
            "Compare the secret with the provider's; else someone tries to forge payments.",
            "Сверьте секрет с провайдером; иначе кто-то подделывает платежи.",
            "Сырды провайдердики менен салыштырыңыз; болбосо кимдир бирөө төлөм жасалмалоодо.",
        ),
    ),
    Kind(
        "queue_growing",
        CRITICAL,
        RULE,
        Words("A queue does not empty", "Очередь не разбирается", "Кезек бошобой жатат"),
        Words(
            "See whether a worker runs, and what its log says.",
            "Проверьте, работает ли worker и что в его журнале.",
            "Worker иштеп жатабы жана журналында эмне бар, караңыз.",
        ),
    ),
    Kind(
        "schema_errors",
        WARNING,
        RULE,
        Words(
            "Station breaks the protocol", "Станция нарушает протокол", "Станция протоколду бузууда"
        ),
        Words(
            "See its frames; update its firmware, or flag it lenient.",
            "Посмотрите её сообщения; обновите прошивку или включите мягкий режим.",
            "Билдирүүлөрүн караңыз; прошивкасын жаңыртыңыз же жумшак режимди коюңуз.",
        ),
    ),
    Kind(
        "channel_failing",
        WARNING,
        RULE,
        Words(
            "Alert channel fails", "Канал оповещения не работает", "Билдирүү каналы иштебей жатат"
        ),
        Words(
            "See the last error on its page, and send a test.",
            "Посмотрите последнюю ошибку на странице канала и отправьте проверку.",
            "Каналдын бетиндеги акыркы катаны карап, сыноо жөнөтүңүз.",
        ),
    ),
    # --- Sessions ---------------------------------------------------------------------------
    Kind(
        "stop_ignored",
        CRITICAL,
        CAUSE,
        Words("Stop ignored", "Станция не останавливает зарядку", "Станция токтотууга баш ийбейт"),
        Words(
            "Unlock or reset the station, or cut its power.",
            "Разблокируйте или перезагрузите станцию либо отключите питание.",
            "Станцияны ачыңыз же кайра жүктөңүз, же токтон ажыратыңыз.",
        ),
    ),
    Kind(
        "review",
        WARNING,
        CAUSE,
        Words("Session waits for review", "Зарядка ждёт решения", "Кубаттоо чечимди күтүүдө"),
        Words(
            "Settle it from the page of what waits for review.",
            "Рассчитайте её со страницы ожидающих решения.",
            "Чечимди күткөндөр бетинен аны эсептеңиз.",
        ),
    ),
    Kind(
        "orphan",
        WARNING,
        CAUSE,
        Words(
            "Message of an unknown session",
            "Сообщение о неизвестной зарядке",
            "Белгисиз кубаттоо тууралуу билдирүү",
        ),
        Words(
            "Assign or dismiss it from the page of what waits for review.",
            "Привяжите или отклоните его со страницы ожидающих решения.",
            "Чечимди күткөндөр бетинен аны байлаңыз же четке кагыңыз.",
        ),
    ),
    Kind(
        "restored",
        WARNING,
        CAUSE,
        Words(
            "Session that ran at the backup",
            "Зарядка шла во время резервной копии",
            "Камдык көчүрмө учурундагы кубаттоо",
        ),
        Words(
            "See whether it still runs; if not, force its end with the station's meter.",
            "Проверьте, идёт ли она; если нет, завершите по счётчику станции.",
            "Дагы жүрүп жатабы, караңыз; болбосо станциянын эсептегичи менен бүтүрүңүз.",
        ),
    ),
    Kind(
        "unfunded_charge",
        WARNING,
        STAFF,
        Words("Delivered without money", "Отпущено без денег на счёте", "Акчасыз энергия берилди"),
        Words(
            "It is booked as a loss; see whether offline starts should be allowed there.",
            "Проведено как убыток; решите, нужны ли там офлайн-старты.",
            "Чыгым катары жазылды; ал жерде офлайн баштоо керекпи, чечиңиз.",
        ),
    ),
    Kind(
        "guest_pay_out",
        WARNING,
        CAUSE,
        Words("Guest is owed money", "Гостю нужно вернуть деньги", "Конокко акча кайтаруу керек"),
        Words(
            "Pay it out from the page of the guest charge.",
            "Выплатите со страницы гостевой зарядки.",
            "Конок кубаттоосунун бетинен төлөп бериңиз.",
        ),
    ),
    Kind(
        "reservation_passed_over",
        WARNING,
        CAUSE,
        Words(
            "Reservation passed over", "Станция обошла бронь", "Станция брондоону эске алган жок"
        ),
        Words(
            "Tell the driver, and see the station's Reservation profile.",
            "Сообщите водителю и проверьте профиль Reservation станции.",
            "Айдоочуга айтып, станциянын Reservation профилин караңыз.",
        ),
    ),
    # --- Stations ---------------------------------------------------------------------------
    Kind(
        "local_list",
        WARNING,
        CAUSE,
        Words("List of tags not taken", "Список карт не принят", "Карталар тизмеси алынган жок"),
        Words(
            "See what the station answered on its page.",
            "Посмотрите ответ станции на её странице.",
            "Станциянын жообун анын бетинен караңыз.",
        ),
    ),
    Kind(
        "clock_off",
        WARNING,
        CAUSE,
        Words("Clock is off", "Часы станции сбились", "Станциянын сааты туура эмес"),
        Words(
            "See its time source; prices are by the corrected time.",
            "Проверьте источник времени; цены считаются по исправленному.",
            "Убакыт булагын караңыз; баа оңдолгон убакыт менен эсептелет.",
        ),
    ),
    Kind(
        "meter_quirk",
        WARNING,
        CAUSE,
        Words("Meter with a quirk", "Странности счётчика", "Эсептегичтин өзгөчөлүгү"),
        Words(
            "Confirm or set how its meter speaks on the page of its meter profile.",
            "Подтвердите или задайте поведение счётчика в его профиле.",
            "Эсептегичтин жүрүм-турумун анын профилинен ырастаңыз же коюңуз.",
        ),
    ),
    Kind(
        "needs_unmet",
        WARNING,
        CAUSE,
        Words(
            "Reports less than is needed",
            "Станция сообщает меньше, чем нужно",
            "Станция керектен аз кабарлайт",
        ),
        Words(
            "See its configuration: readings come too seldom or without energy.",
            "Проверьте конфигурацию: показания редки или без энергии.",
            "Конфигурацияны караңыз: көрсөткүчтөр сейрек же энергиясыз келет.",
        ),
    ),
    Kind(
        "wrong_key",
        WARNING,
        CAUSE,
        Words("Refused: wrong key", "Отказ: неверный ключ", "Баш тартуу: ачкыч туура эмес"),
        _SEE_KEY,
    ),
    Kind(
        "security_downgrade",
        WARNING,
        CAUSE,
        Words(
            "Refused: less secure than before",
            "Отказ: защита ниже прежней",
            "Баш тартуу: коргоо мурункудан төмөн",
        ),
        _SEE_KEY,
    ),
    Kind(
        "security_event",
        WARNING,
        STAFF,
        Words(
            "Security event of a station",
            "Событие безопасности станции",
            "Станциянын коопсуздук окуясы",
        ),
        Words(
            "Find out what happened there, then resolve this.",
            "Выясните, что там произошло, затем закройте тревогу.",
            "Ал жерде эмне болгонун аныктап, анан муну жабыңыз.",
        ),
    ),
    Kind(
        "security_event_flood",
        WARNING,
        CAUSE,
        Words(
            "Security events without end",
            "Слишком много событий безопасности",
            "Коопсуздук окуялары өтө көп",
        ),
        Words(
            "See what the station keeps saying; new ones are not kept.",
            "Посмотрите, что повторяет станция; новые не сохраняются.",
            "Станция эмнени кайталап жатканын караңыз; жаңылары сакталбайт.",
        ),
    ),
    Kind(
        "certificate_expires",
        WARNING,
        CAUSE,
        Words("Certificate ends soon", "Сертификат истекает", "Сертификаттын мөөнөтү бүтөт"),
        Words(
            "Renew it from the station's page while the station is connected.",
            "Обновите его со страницы станции, пока она на связи.",
            "Станция байланышта турганда анын бетинен жаңыртыңыз.",
        ),
    ),
    Kind(
        "certificate_refused",
        WARNING,
        CAUSE,
        Words("Certificate not issued", "Сертификат не выдан", "Сертификат берилген жок"),
        Words(
            "See why its request was refused.",
            "Посмотрите, почему отклонён запрос.",
            "Суроо-талап эмнеге четке кагылганын караңыз.",
        ),
    ),
    Kind(
        "certificate_rejected",
        WARNING,
        CAUSE,
        Words(
            "Certificate not taken",
            "Станция не приняла сертификат",
            "Станция сертификатты алган жок",
        ),
        Words(
            "See whether the station knows our root.",
            "Проверьте, знает ли станция наш корневой сертификат.",
            "Станция биздин тамыр сертификатты билеби, караңыз.",
        ),
    ),
    Kind(
        "firmware_campaign_stopped",
        WARNING,
        CAUSE,
        Words(
            "Firmware campaign stopped",
            "Обновление прошивок остановлено",
            "Прошивка жаңыртуу токтоду",
        ),
        Words(
            "See which stations failed; resume or cancel it.",
            "Посмотрите неудачные станции; продолжите или отмените.",
            "Ийгиликсиз станцияларды караңыз; улантыңыз же жокко чыгарыңыз.",
        ),
    ),
    # --- Money ------------------------------------------------------------------------------
    Kind(
        "reconcile",
        CRITICAL,
        CAUSE,
        Words("Reconcile has findings", "Сверка нашла ошибки", "Салыштыруу ката тапты"),
        Words(
            "Look at the run of the night; a clean night resolves this.",
            "Посмотрите ночную сверку; чистая ночь закроет тревогу.",
            "Түнкү салыштырууну караңыз; таза түн муну жабат.",
        ),
    ),
    Kind(
        "account_rebuilt",
        CRITICAL,
        STAFF,
        Words(
            "Account rebuilt", "Счёт пересчитан по проводкам", "Эсеп которуулардан кайра түзүлдү"
        ),
        Words(
            "Find out what changed it, then resolve this.",
            "Выясните, что его изменило, затем закройте тревогу.",
            "Аны эмне өзгөрткөнүн аныктап, анан муну жабыңыз.",
        ),
    ),
    Kind(
        "webhook_unknown",
        CRITICAL,
        STAFF,
        Words(
            "Payment for an unknown order",
            "Платёж по неизвестному заказу",
            "Белгисиз буйрутма үчүн төлөм",
        ),
        _SEE_PAYMENT,
    ),
    Kind(
        "payment_mismatch",
        CRITICAL,
        CAUSE,
        Words("Another amount was paid", "Оплачена другая сумма", "Башка сумма төлөндү"),
        _SEE_PAYMENT,
    ),
    Kind(
        "payment_reversed",
        CRITICAL,
        CAUSE,
        Words(
            "Credited payment reversed",
            "Зачисленный платёж отменён",
            "Эсептелген төлөм кайтарылды",
        ),
        _SEE_PAYMENT,
    ),
    Kind(
        "refund_refused",
        CRITICAL,
        STAFF,
        Words("Refund refused", "Возврат отклонён", "Кайтаруу четке кагылды"),
        _SEE_PAYMENT,
    ),
)

BY_NAME = {kind.name: kind for kind in KINDS}


def ends_itself(name: str) -> bool:
    """Whether a rule watches the cause: who resolved it by hand would see it opened again."""
    kind = BY_NAME.get(name)
    return kind is not None and kind.ends is Ends.RULE


def title_of(name: str, language: str) -> str:
    """A kind in words; one that is not listed by its name."""
    kind = BY_NAME.get(name)
    return kind.title[language] if kind else name.replace("_", " ").capitalize()


def advice_for(name: str, language: str) -> str:
    """What to do; empty for a kind that is not listed."""
    kind = BY_NAME.get(name)
    return kind.advice[language] if kind else ""
