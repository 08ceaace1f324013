"""Meters as they are, by how they bend the rules, and what staff would state of them."""

from decimal import Decimal

from sessions_app.tests.metered_car import Wire, fresh
from stations import meters
from stations.metering import Habits

ENERGY, EXPORT = "Energy.Active.Import.Register", "Energy.Active.Export.Register"


def wh(value, **more):
    return {"value": f"{value:f}", "unit": "Wh", "measurand": ENERGY, **more}


def kwh(value, **more):
    return {"value": f"{value / 1000:f}", "unit": "kWh", "measurand": ENERGY, **more}


def phases(register, names):
    return [wh(register / len(names), phase=name) for name in names]


METERS = {
    "as the specification says": Wire(lambda register, gain: [wh(register)]),
    "kWh": Wire(lambda register, gain: [kwh(register)]),
    "no unit, no measurand": Wire(lambda register, gain: [{"value": str(register)}]),
    "numbers for strings": Wire(lambda register, gain: [{"value": float(register)}]),
    "fractions of Wh": Wire(lambda register, gain: [wh(register + Decimal("0.18"))]),
    "decimal comma": Wire(
        lambda register, gain: [
            {"value": f"{register / 1000:f}".replace(".", ",") + "0", "unit": "kWh"}
        ]
    ),
    "exponent": Wire(lambda register, gain: [{"value": f"{register:E}"}]),
    "kWh labelled Wh": Wire(
        lambda register, gain: [wh(register / 1000)],
        habits=Habits(sample_unit="kWh"),
        flags=frozenset({"samples_in_kwh"}),
    ),
    "kWh without unit": Wire(
        lambda register, gain: [{"value": f"{register / 1000:f}"}],
        habits=Habits(sample_unit="kWh"),
        flags=frozenset({"samples_in_kwh"}),
    ),
    "Wh labelled kWh": Wire(
        lambda register, gain: [kwh(register * 1000)],
        habits=Habits(sample_unit="Wh"),
        flags=frozenset({"samples_in_wh"}),
    ),
    "counted from the start of the transaction": Wire(
        lambda register, gain: [wh(gain)],
        habits=Habits(register="transaction"),
        flags=frozenset({"register_per_transaction"}),
    ),
    "all of it counted from the start of the transaction": Wire(
        lambda register, gain: [wh(gain)], bill=lambda register, gain: int(gain)
    ),
    "meterStart and meterStop in kWh": Wire(
        lambda register, gain: [wh(register)],
        bill=lambda register, gain: int(register / 1000),
        habits=Habits(bill_unit="kWh"),
        flags=frozenset({"start_and_stop_in_kwh"}),
        is_reviewed=True,
    ),
    "three phases": Wire(
        lambda register, gain: phases(register, ("L1", "L2", "L3")),
        flags=frozenset({"phases_summed"}),
    ),
    "three phases to neutral": Wire(
        lambda register, gain: phases(register, ("L1-N", "L2-N", "L3-N")),
        flags=frozenset({"phases_summed"}),
    ),
    "a total beside its phases": Wire(
        lambda register, gain: [*phases(register, ("L1", "L2", "L3")), wh(register)]
    ),
    "only the export register": Wire(
        lambda register, gain: [wh(register, measurand=EXPORT)],
        flags=frozenset({"export_register"}),
    ),
    "a value that is none beside a good one": Wire(
        lambda register, gain: [wh(register), {"value": "0x1F"}],
        flags=frozenset({"unreadable"}),
    ),
    "units that are none, of what is not used": Wire(
        lambda register, gain: [
            wh(register),
            {"value": "30", "unit": "Celcius", "measurand": "Temperature"},
            {"value": "50", "unit": "Hertz", "measurand": "Frequency"},
            {"value": "-7", "unit": "kW", "measurand": "Power.Active.Import"},
        ]
    ),
    "signed data beyond the schema": Wire(
        lambda register, gain: [wh(register), {"value": "A" * 5_000, "format": "SignedData"}]
    ),
}


def state_habits(stage, olga, habits):
    meters.state_habits(station=fresh(stage), habits=habits, by=olga, reason="seen on site")
