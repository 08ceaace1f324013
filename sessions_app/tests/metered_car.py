"""A car that takes 7 kW from a station whose meter bends the rules, told in OCPP 1.6's words."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sessions_app.services import begin, end
from stations.gateway.v16 import facts
from stations.metering import Habits
from stations.models import Command, Station

LIFETIME = 1_234_567
Sampled = list[dict[str, Any]]


@dataclass(frozen=True)
class Wire:
    """How a meter tells the truth: `register` is Wh since it was made, `gain` of this charge."""

    sampled: Callable[[Decimal, Decimal], Sampled]
    bill: Callable[[Decimal, Decimal], object] = lambda register, gain: int(register)
    habits: Habits | None = None
    flags: frozenset[str] = frozenset()
    stops: bool = True
    is_reviewed: bool = False
    lifetime: int = LIFETIME


class MeteredCar:
    """Plays one charge over a stage, a sample a minute."""

    def __init__(self, stage, wire: Wire, *, power_wh: int = 117):
        self.stage, self.wire, self.power_wh = stage, wire, power_wh
        self.gain = Decimal(0)
        self.asked_at: Decimal | None = None

    @property
    def register(self) -> Decimal:
        return self.wire.lifetime + self.gain

    def start(self, driver, limit_type="energy", value="5", **more):
        stage = self.stage
        self.session = stage.ask(driver, limit_type, value, **more)
        stage.accept_start()
        payload = {
            "connectorId": 1,
            "idTag": self.session.id_tag,
            "meterStart": self.wire.bill(self.register, self.gain),
            "timestamp": facts.wire_time(stage.now),
        }
        begin.begin(station=fresh(stage), fact=facts.started(payload, stage.now))
        self.session.refresh_from_db()
        return self.session

    def charge(self, minutes: int) -> None:
        for _ in range(minutes):
            self.stage.pass_time(seconds=60)
            self.gain += self.power_wh
            self.tell(self.wire.sampled(self.register, self.gain))
            if self.asked_at is None and self.is_asked_to_stop:
                self.asked_at = self.gain

    def tell(
        self, sampled: Sampled, *, transaction_id: object = None, at: dt.datetime | None = None
    ):
        stage = self.stage
        payload = {
            "connectorId": 1,
            "transactionId": transaction_id or self.session.transaction_id,
            "meterValue": [
                {"timestamp": facts.wire_time(at or stage.now), "sampledValue": sampled}
            ],
        }
        fact = facts.metered(payload, stage.now, uuid.uuid4())
        stage.follower.take(fresh(stage), fact)

    def stop(self, *, meter_stop: object = None, data: list[Any] | None = None):
        stage = self.stage
        stop = self.wire.bill(self.register, self.gain) if meter_stop is None else meter_stop
        payload = {
            "transactionId": self.session.transaction_id,
            "meterStop": stop,
            "timestamp": facts.wire_time(stage.now),
            "transactionData": data or [],
        }
        end.end(station=fresh(stage), fact=facts.stopped(payload, stage.now))
        self.session.refresh_from_db()
        return self.session

    @property
    def is_asked_to_stop(self) -> bool:
        stops = Command.objects.filter(action="RemoteStopTransaction")
        return stops.filter(reference=self.session.reference).exists()


def fresh(stage) -> Station:
    """The station as the gateway gets it for each call."""
    return Station.objects.select_related("meter_profile").get(pk=stage.station.pk)
