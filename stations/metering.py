"""How the meter of a station speaks: its habits, and the quirks that show them. Pure.

A habit is `auto` until an operator states it. Quirks are seen in sessions and counted; one that
enough sessions show is *likely*, and then decides between readings that are both possible.
"""

from dataclasses import dataclass
from enum import StrEnum


class SampleUnit(StrEnum):
    """The unit that samples of energy really are in."""

    AUTO = "auto"
    LABELLED = "labelled"
    WH = "Wh"
    KWH = "kWh"


class BillUnit(StrEnum):
    """The unit of meterStart and meterStop."""

    AUTO = "auto"
    WH = "Wh"
    KWH = "kWh"


class Register(StrEnum):
    """What the register counts from."""

    AUTO = "auto"
    LIFETIME = "lifetime"
    BOOT = "boot"
    TRANSACTION = "transaction"


class Source(StrEnum):
    """Which register of active energy tells what was delivered."""

    AUTO = "auto"
    IMPORT = "import"
    EXPORT = "export"


class Quirk(StrEnum):
    """What a station's meter was seen to do."""

    KWH_SAMPLES = "samples_in_kwh"
    WH_SAMPLES = "samples_in_wh"
    KWH_BILL = "start_and_stop_in_kwh"
    PER_TRANSACTION = "register_per_transaction"
    RESTARTED = "register_restarted"
    EXPORTED = "export_register"
    PHASES = "phases_summed"
    UNCLEAR = "register_unclear"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Habits:
    """How one meter speaks, each part `auto` where nobody knows."""

    sample_unit: str = SampleUnit.AUTO
    bill_unit: str = BillUnit.AUTO
    register: str = Register.AUTO
    source: str = Source.AUTO


WRONG_UNIT = frozenset({Quirk.KWH_SAMPLES, Quirk.WH_SAMPLES})
CORRECTIONS = WRONG_UNIT | {Quirk.KWH_BILL, Quirk.PER_TRANSACTION, Quirk.RESTARTED}
"""The quirks for which a number is read otherwise than it was told."""

PHASE_COUNT = "phases:"
"""The flag of a sum, with how many phases are in it."""

SHOWS: dict[Quirk, tuple[str, str]] = {
    Quirk.KWH_SAMPLES: ("sample_unit", SampleUnit.KWH),
    Quirk.WH_SAMPLES: ("sample_unit", SampleUnit.WH),
    Quirk.KWH_BILL: ("bill_unit", BillUnit.KWH),
    Quirk.PER_TRANSACTION: ("register", Register.TRANSACTION),
    Quirk.RESTARTED: ("register", Register.BOOT),
    Quirk.EXPORTED: ("source", Source.EXPORT),
}
"""The habit that a quirk shows; the others are only worth knowing."""

SESSIONS_NEEDED = 2
"""So many sessions must show a quirk, and more than speak against it, to make it likely."""


def is_likely(sessions: int, against: int) -> bool:
    """Whether a quirk that was seen in so many sessions is a habit."""
    return sessions >= SESSIONS_NEEDED and sessions > against


def habits_of(quirks: list[Quirk]) -> Habits:
    """The habits that these quirks show, the first one deciding where two disagree."""
    found: dict[str, str] = {}
    for quirk in quirks:
        if quirk in SHOWS:
            found.setdefault(*SHOWS[quirk])
    return Habits(**found)
