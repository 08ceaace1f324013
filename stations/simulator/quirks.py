"""How stations in the field differ from the specification, as data."""

from dataclasses import dataclass

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a station does wrong with whole messages; the default does nothing wrong.

    Of calls of the central system: `mute` are never answered, `refused` are answered with
    Rejected, `ignored` are accepted and not done; `crossed` are done first, and answered when all
    that is said about it is confirmed. Of its own messages `repeated` are sent twice.
    `keeps_states` tells after a lost connection every status that was missed, before the rest.
    `ignores_time` never sets the clock. `breaks_firmware` fails while it installs an image.
    """

    mute: frozenset[str] = NONE
    refused: frozenset[str] = NONE
    ignored: frozenset[str] = NONE
    crossed: frozenset[str] = NONE
    repeated: frozenset[str] = NONE
    keeps_states: bool = False
    ignores_time: bool = False
    breaks_firmware: bool = False


@dataclass(frozen=True, slots=True)
class Meter:
    """How a station tells its register; the default is by the specification (OCPP 1.6 §7.31-7.33).

    `unit` and `measurand` are labels, and "" leaves them out; `in_kwh` is what the number is.
    """

    help: str
    measurand: str = "Energy.Active.Import.Register"
    unit: str = "Wh"
    in_kwh: bool = False
    places: int = 0
    decimal_sign: str = "."
    sign: str = ""
    phases: tuple[str, ...] = ()
    context: str = ""
    as_number: bool = False
    is_empty: bool = False
    has_celcius: bool = False
    starts_at: str = ""  # "transaction" or "boot": where the register is 0
    transaction_id: str = "own"  # or "none", or "zero"
    copies: int = 1
    repeats_previous: bool = False
    jumps_at: int = 0  # this sample of a charge is 1000 times too high
    stop: str = "register"  # or "zero", or "kwh"


METERS = {
    "plain": Meter("as the specification wants it"),
    "wh-labelled-kwh": Meter("the number is Wh and its unit says kWh", unit="kWh"),
    "kwh-labelled-wh": Meter("the number is kWh and its unit says Wh", in_kwh=True, places=3),
    "kwh": Meter("kWh with three places, and says so", unit="kWh", in_kwh=True, places=3),
    "no-unit": Meter("no unit, which means Wh", unit=""),
    "no-measurand": Meter("no measurand, which means the import register", measurand=""),
    "phases": Meter("three values, one a phase, and no total", phases=("L1", "L2", "L3")),
    "export-only": Meter("only an export register", measurand="Energy.Active.Export.Register"),
    "per-transaction-register": Meter("begins at 0 with each charge", starts_at="transaction"),
    "per-boot-register": Meter("begins at 0 with each boot", starts_at="boot"),
    "comma-decimals": Meter(
        "kWh with a decimal comma", unit="kWh", in_kwh=True, places=3, decimal_sign=","
    ),
    "fractional-strings": Meter("Wh with decimals", places=3),
    "numbers": Meter("a JSON number where a string belongs", as_number=True),
    "odd-context": Meter("a context that the specification does not know", context="Periodic"),
    "celcius": Meter("a temperature with the unit misspelt Celcius", has_celcius=True),
    "duplicates": Meter("each message twice", copies=2),
    "disorder": Meter("each message tells the sample before once more", repeats_previous=True),
    "empty-sampled-value": Meter("messages without a single value", is_empty=True),
    "jump": Meter("the third sample is 1000 times too high", jumps_at=3),
    "negative": Meter("the register has a minus sign", sign="-"),
    "meter-stop-zero": Meter("meterStop is 0", stop="zero"),
    "meter-stop-kwh": Meter("meterStop is in kWh", stop="kwh"),
    "no-transaction-id": Meter("MeterValues say of no transaction", transaction_id="none"),
    "zero-transaction-id": Meter("MeterValues say of transaction 0", transaction_id="zero"),
}
PLAIN_METER = METERS["plain"]
