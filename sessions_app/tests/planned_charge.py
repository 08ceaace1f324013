"""A charge second by second under plans that are renewed as readings come, without a network."""

import datetime as dt
from dataclasses import dataclass, field

from sessions_app import profile_plan
from sessions_app.profile_plan import Aim, Course, Place, Plan, Watch

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@dataclass
class PlannedCharge:
    """`demand(second)` is what the car would draw, in W. `delay_s` is how long a renewal takes."""

    place: Place
    limit_wh: int
    demand: object
    delay_s: int = 1
    real_full_w: int = 0
    energy_wh: float = 0.0
    second: int = 0
    renewals: int = 0
    plans: list[tuple[int, float, Plan]] = field(default_factory=list)
    stopped_early: bool = False

    def __post_init__(self) -> None:
        self.aim = Aim(energy_wh=self.limit_wh)
        self.real_full_w = self.real_full_w or self.place.full_w
        plan = profile_plan.first(aim=self.aim, lasts_s=None, place=self.place)
        self._stand(plan.begun(NOON))
        self._coming: tuple[int, Plan] | None = None
        self._recent: list[int] = []

    def run(self, *, until_s: int = 100_000) -> None:
        """Charge until the limit is reached, as if a stop came in that moment."""
        while self.energy_wh < self.limit_wh and self.second < until_s and not self.is_done:
            self.tick()

    @property
    def is_done(self) -> bool:
        course = Course(moment(self.second), int(self.energy_wh), 0)
        return profile_plan.is_done(self.plans[-1][2], course, self.aim)

    def tick(self) -> None:
        if self._coming and self.second >= self._coming[0]:
            self._stand(self._coming[1])
            self._coming = None
        if self.second and self.second % self.place.interval_s == 0:
            self._read()
        power_w = self.power_w(self.second)
        if not power_w and self._wish(self.second):
            self.stopped_early = True
        self.energy_wh += power_w / 3600
        self.second += 1

    def power_w(self, second: int) -> int:
        return min(self._wish(second), self._limit_w(self.plans[-1][2], second))

    def most_wh(self, plan: Plan, second: int, energy_wh: float) -> float:
        """What flows in all if the network goes now and the car draws all that it may."""
        return energy_wh + plan.energy_ws(moment(second), self.real_full_w) / 3600

    def cut_off_wh(self, plan: Plan, second: int, energy_wh: float) -> float:
        """What flows in all if the network goes now and the car goes on as it would."""
        while moment(second) < plan.zero_at:
            energy_wh += min(self._wish(second), self._limit_w(plan, second)) / 3600
            second += 1
        return energy_wh

    def _wish(self, second: int) -> int:
        return min(self.demand(second), self.real_full_w)

    def _limit_w(self, plan: Plan, second: int) -> int:
        """A limit of all that the station is stated to give is none."""
        limit_w = plan.limit_w(moment(second))
        return self.real_full_w if limit_w >= plan.full_w else limit_w

    def _read(self) -> None:
        power_w, plan = self.power_w(max(0, self.second - 1)), self.plans[-1][2]
        at = moment(self.second)
        course = Course(at, int(self.energy_wh), power_w, tuple(self._recent[-3:]))
        self._recent.append(power_w)
        if self._coming is not None:
            return
        sent_at = moment(self.plans[-1][0]) if self.renewals else None
        seen_w = course.recent_w[-1] if course.recent_w else 0
        interval_s = self.place.interval_s
        watch = Watch(plan, self.aim, interval_s, sent_at=sent_at, seen_w=seen_w)
        if watch.is_due(at=at, energy_wh=course.energy_wh, power_w=power_w):
            made = profile_plan.make(course, self.aim, self.place, starts_at=at, standing=plan)
            self._coming = (self.second + self.delay_s, made)
            self.renewals += 1

    def _stand(self, plan: Plan) -> None:
        self.plans.append((self.second, self.energy_wh, plan))


def moment(second: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=second)
