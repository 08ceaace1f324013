"""Kubat as the study plays it: it keeps the clock's offset, asks the policy, and acts on it."""

import datetime as dt
from collections.abc import Callable

from ..outlook import our_time
from .agenda import Agenda
from .network import Network
from .policy import Ended, Plan, Policy, Told
from .station import Sample, Station
from .truth import EPOCH, moment

RESEND_S = 10.0
"""As `stopping.RESEND_AFTER` in production."""


class Office:
    """One session as the server sees it."""

    def __init__(self, agenda: Agenda, network: Network, offset_s: float) -> None:
        self._agenda, self._network = agenda, network
        self._offset = dt.timedelta(seconds=offset_s)
        self._wakes = 0
        self._asked_at: dt.datetime | None = None
        self._asked = 0
        self.ended: Ended | None = None
        self.samples = 0
        self.asked_for = 0

    def begin(
        self, station: Station, start: Sample, policy: Callable[[dt.datetime], Policy]
    ) -> None:
        """StartTransaction has come."""
        self._station, self._start = station, start
        self._started_at = start.stamped_at + self._offset
        self._policy = policy(self._started_at)
        self._follow(self._policy.begin())
        for back_s in self._network.returns():
            self._agenda.at(back_s + 0.5, self._reconnected)

    def hear(self, sample: Sample) -> None:
        """MeterValues have come."""
        if self.ended is None:
            self.samples += 1
            self._follow(self._policy.hear(self._told(sample)))

    def hear_end(self, sample: Sample) -> None:
        """StopTransaction has come."""
        self.ended = Ended(self._asked_at, self._asked, self._told(sample))
        self._policy.end(self.ended)

    def billed_wh(self) -> int:
        """What the driver is billed for: the difference of two registers."""
        return int(self.ended.told.energy_wh) if self.ended else 0

    def _follow(self, plan: Plan) -> None:
        """Do what the plan says, in the place of what the last one said."""
        self._wakes += 1
        wake = self._wakes
        if self._asked:
            return
        if plan.limits is not None:
            self._send_limits(plan.limits)
        if plan.ask_at is not None:
            self._agenda.at(_second(plan.ask_at), lambda: self._ask(wake))
        if plan.stop_at is not None:
            self._agenda.at(_second(plan.stop_at), lambda: self._stop(wake))

    def _ask(self, wake: int) -> None:
        if wake == self._wakes and self.ended is None:
            self.asked_for += 1
            self._network.down(self._station.trigger)
            plan = self._policy.asked(moment(self._agenda.now_s))
            self._follow(plan)

    def _stop(self, wake: int) -> None:
        if wake == self._wakes and self.ended is None and not self._asked:
            self._asked_at = moment(self._agenda.now_s)
            self._send_stop()

    def _send_stop(self) -> None:
        """RemoteStop, and again every 10 s until the station has told of its end."""
        if self.ended is None:
            self._asked += 1
            self._network.down(self._station.stop)
            self._agenda.at(self._agenda.now_s + RESEND_S, self._send_stop)

    def _reconnected(self) -> None:
        if self._asked and self.ended is None:
            self._network.down(self._station.stop)

    def _send_limits(self, limits: tuple[tuple[dt.datetime, float], ...]) -> None:
        # Sent in the station's time: as wrong as what is known of its clock.
        wrong_s = self._offset.total_seconds() + self._station.make.clock_off_s
        steps = tuple((_second(at) - wrong_s, power_w) for at, power_w in limits)
        self._network.down(lambda: self._station.limit(steps))

    def _told(self, sample: Sample) -> Told:
        received_at = moment(self._agenda.now_s)
        return Told(
            at=our_time(
                sample.stamped_at,
                received_at,
                started_at=self._started_at,
                meter_start_at=self._start.stamped_at,
            ),
            received_at=received_at,
            energy_wh=float(sample.register_wh - self._start.register_wh),
            power_w=None if sample.power_w is None else float(sample.power_w),
        )


def _second(at: dt.datetime) -> float:
    return (at - EPOCH).total_seconds()
