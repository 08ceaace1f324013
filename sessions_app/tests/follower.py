"""MeterValues as a socket takes them: a sample that keeps the rules reads no row of its session."""

from sessions_app.facts import Metered
from sessions_app.running import Running
from sessions_app.services import meter, tracking
from stations.clock import STEP_S
from stations.models import Station


class Follower:
    """What one socket follows; `steps` counts the samples that went the short way."""

    def __init__(self) -> None:
        self.running: dict[int | None, Running] = {}
        self.steps = 0

    def take(self, station: Station, fact: Metered) -> None:
        self.forget_what_changed(station)
        if self.steps_on(fact):
            self.steps += 1
            return
        running = meter.record(station=station, fact=fact).running
        self.running = {running.transaction_id: running} if running else {}

    def steps_on(self, fact: Metered) -> bool:
        running = self.running.get(fact.transaction_id)
        step = running.advance(fact, least_gain_s=STEP_S) if running else None
        if running is None or step is None or not tracking.store([step])[0]:
            return False
        running.take(step)
        return True

    def forget_what_changed(self, station: Station) -> None:
        facts = tracking.facts_now({station.pk}).get(station.pk)
        self.running = {key: one for key, one in self.running.items() if one.facts == facts}
