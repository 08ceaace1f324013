"""One connector: its meter, its car and the transaction that runs on it."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from .car import Car
from .clock import Clock, stamp
from .memory import Memory, Transaction
from .quirks import PLAIN_METER, Meter
from .wire import Payload


@dataclass(frozen=True, slots=True)
class Setup:
    """What a station is. `speed` multiplies the power that flows, and never touches a time."""

    url: str
    station_id: str
    key: str = ""
    connectors: int = 1
    power_w: Decimal = Decimal(60_000)
    speed: Decimal = Decimal(1)
    interval_s: Decimal = Decimal(10)
    car_needs_wh: Decimal = Decimal(60_000)
    parking_s: float = 0
    attempts: int = 3
    meter: Meter = PLAIN_METER


@dataclass(frozen=True, slots=True)
class Reservation:
    reservation_id: int
    id_tag: str
    expires_at: dt.datetime
    parent_id_tag: str = ""


class Connector:
    """Its register goes on for ever and lies in the station's memory."""

    def __init__(self, connector_id: int, *, setup: Setup, memory: Memory, clock: Clock) -> None:
        self.connector_id = connector_id
        self.car: Car | None = None
        self.reservation: Reservation | None = None
        self.power_w = Decimal(0)
        self.limit_w: Decimal | None = None
        self._setup, self._memory, self._clock = setup, memory, clock
        self._metered_at_s = clock.steady_s()
        self._boot_wh = self._counted_wh
        running = self.transaction
        self._charge_wh = running.origin_wh if running else self._counted_wh
        self._samples = 0
        self._previous: Payload | None = None
        # After a power failure a station first reports what it was before.
        self.status = "Charging" if self.transaction else self.idle_status

    @property
    def transaction(self) -> Transaction | None:
        return self._memory.running(self.connector_id)

    @property
    def is_operative(self) -> bool:
        return self.connector_id not in self._memory.inoperative

    @is_operative.setter
    def is_operative(self, is_operative: bool) -> None:
        """Kept over a loss of power (OCPP 1.6 §5.2)."""
        self._memory.inoperative.discard(self.connector_id)
        if not is_operative:
            self._memory.inoperative.add(self.connector_id)

    @property
    def idle_status(self) -> str:
        return "Available" if self.is_operative else "Unavailable"

    @property
    def is_free(self) -> bool:
        return self.is_operative and self.transaction is None

    @property
    def _counted_wh(self) -> int:
        """What its meter has counted in its life."""
        return int(self._memory.register_wh(self.connector_id))

    @property
    def register_wh(self) -> int:
        """What its meter says, which may have begun at 0 with this boot or this charge."""
        match self._setup.meter.starts_at:
            case "transaction":
                return self._counted_wh - self._charge_wh
            case "boot":
                return max(self._counted_wh - self._boot_wh, 0)
        return self._counted_wh

    def admits(self, id_tag: str, parent_id_tag: str = "") -> bool:
        """Whether nobody else has reserved it (OCPP 1.6 §5.13)."""
        held = self.reservation
        if held is None or held.id_tag == id_tag:
            return True
        return bool(parent_id_tag) and held.parent_id_tag == parent_id_tag

    def start_of(self, transaction: Transaction) -> Payload:
        """Return the StartTransaction.req, and use up the reservation."""
        held, self.reservation = self.reservation, None
        return {
            "connectorId": self.connector_id,
            "idTag": transaction.id_tag,
            "meterStart": transaction.meter_start_wh,
            "timestamp": transaction.started_at,
            **({"reservationId": held.reservation_id} if held else {}),
        }

    @property
    def is_full(self) -> bool:
        return self.car is not None and self.car.is_full

    def describe(self) -> str:
        transaction = self.transaction
        energy_wh = self.register_wh - transaction.meter_start_wh if transaction else 0
        return (
            f"connector {self.connector_id} {energy_wh / 1000:.3f} kWh "
            f"at {self.power_w / 1000:.1f} kW"
        )

    def begin(self, id_tag: str) -> Transaction:
        """Plug in a car and start to count."""
        self.car = Car(needs_wh=self._setup.car_needs_wh)
        now = stamp(self._clock.now())
        self._metered_at_s = self._clock.steady_s()
        self._charge_wh, self._samples, self._previous = self._counted_wh, 0, None
        self._memory.last_number += 1
        transaction = Transaction(
            number=self._memory.last_number,
            connector_id=self.connector_id,
            id_tag=id_tag,
            started_at=now,
            seen_at=now,
            meter_start_wh=self.register_wh,
            origin_wh=self._charge_wh,
        )
        self._memory.transactions[transaction.number] = transaction
        return transaction

    def meter(self) -> None:
        """Count what has flowed since the last time, under the limit that was in force."""
        transaction, now_s = self.transaction, self._clock.steady_s()
        if transaction is None or self.car is None:
            return
        energy_wh = self.car.take(
            self._offered_w(), dt.timedelta(seconds=now_s - self._metered_at_s)
        )
        self.power_w = self.car.power_w(self._offered_w())
        self._memory.registers_wh[self.connector_id] = (
            self._memory.register_wh(self.connector_id) + energy_wh
        )
        self._metered_at_s = now_s
        transaction.seen_at = stamp(self._clock.now())

    def obey(self, limit_w: Decimal | None) -> None:
        """Offer no more than this from now on."""
        self.limit_w = limit_w
        if self.car is not None:
            self.power_w = self.car.power_w(self._offered_w())

    def end(self) -> None:
        """Stop counting; the car is gone."""
        transaction = self.transaction
        if transaction is not None:
            transaction.meter_stop_wh = self.register_wh
        self.car, self.limit_w, self.power_w = None, None, Decimal(0)

    def sampled(self, context: str) -> list[Payload]:
        """Return the MeterValues (OCPP 1.6 §7.32) of this moment, as its meter tells them."""
        transaction, meter = self.transaction, self._setup.meter
        self._samples += 1
        register_wh = self.register_wh * (1000 if self._samples == meter.jumps_at else 1)
        power = _value("Power.Active.Import", "W", f"{self.power_w:.0f}")
        values = [*told(meter, register_wh), power]
        if self.car is not None:
            values.append(_value("SoC", "Percent", f"{self.car.soc:.0f}"))
        if meter.has_celcius:
            values.append(_value("Temperature", "Celcius", "31"))
        for value in values:
            value["context"] = meter.context or context
        seen_at = transaction.seen_at if transaction else stamp(self._clock.now())
        now = {"timestamp": seen_at, "sampledValue": [] if meter.is_empty else values}
        previous, self._previous = self._previous, now
        return [now, previous] if meter.repeats_previous and previous else [now]

    def _offered_w(self) -> Decimal:
        own_w = self._setup.power_w
        offered_w = own_w if self.limit_w is None else min(own_w, self.limit_w)
        return offered_w * self._setup.speed


def told(meter: Meter, register_wh: int) -> list[Payload]:
    """Return the register as this meter tells it: one value, or one for each phase."""
    number = Decimal(register_wh) / (len(meter.phases) or 1) / (1000 if meter.in_kwh else 1)
    text = f"{meter.sign}{number:.{meter.places}f}".replace(".", meter.decimal_sign)
    value = _value(meter.measurand, meter.unit, float(text) if meter.as_number else text)
    return [value | {"phase": phase} for phase in meter.phases] or [value]


def meter_stop(meter: Meter, register_wh: int) -> int:
    """Return what this meter says at the end of a charge."""
    return {"register": register_wh, "zero": 0, "kwh": register_wh // 1000}[meter.stop]


def _value(measurand: str, unit: str, value: str | float) -> Payload:
    labels = {"measurand": measurand, "unit": unit}
    return {"value": value, **{name: label for name, label in labels.items() if label}}
