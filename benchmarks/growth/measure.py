"""Measure, on the database of DATABASE_URL, what each kind of work costs; print it as JSON."""

import json
import random
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from knox.models import AuthToken  # noqa: E402

from billing.models import User  # noqa: E402
from config import housekeeping, worker  # noqa: E402
from sessions_app.facts import Metered, Sample, Started, Stopped  # noqa: E402
from sessions_app.models import ChargingSession  # noqa: E402
from sessions_app.services import begin, calls, end, meter  # noqa: E402
from stations.gateway.handshake import Handshake, admit  # noqa: E402
from stations.models import GatewayProcess, Station  # noqa: E402
from stations.reports import Boot, record_boot  # noqa: E402

from .cost import Cost, know_server  # noqa: E402
from .fill import Size, ask, fill  # noqa: E402

READINGS_A_SESSION = 5
LISTS = {
    "API: sessions, staff": "/ocpp/sessions",
    "API: stations": "/ocpp/stations",
    "admin: first page": "/admin/",
    "admin: sessions": "/admin/sessions_app/chargingsession/",
    "admin: readings": "/admin/sessions_app/reading/",
    "admin: frames": "/admin/stations/frame/",
    "admin: transfers": "/admin/billing/transfer/",
    "admin: commands": "/admin/stations/command/",
    "admin: stations": "/admin/stations/station/",
    "metrics": "/metrics",
}
INSERT = (
    "INSERT INTO sessions_app_reading (session_id, station_id, connector_id, at, received_at, "
    "register_wh, context, flags) VALUES (%s, %s, 1, now(), now(), 1, '', '[]') "
    "ON CONFLICT (session_id, at) DO NOTHING"
)


class Round:
    """One round of everything; `costs` by kind of work."""

    def __init__(self, charges: int) -> None:
        self.costs: dict[str, Cost] = {}
        self.driver = User.objects.get(username="driver")
        self.process = GatewayProcess.objects.get(channel="growth").pk
        stations = Station.objects.filter(station_id__startswith="G-")
        free = stations.exclude(pk__in=ChargingSession.objects.open().values("station"))
        every = list(free.values_list("pk", flat=True))
        self.stations = random.sample(every, min(charges, len(every)))

    def run(self) -> None:
        for pk in self.stations:
            self.connect(pk)
        for pk in self.stations:
            self.charge(Station.objects.get(pk=pk))
        self.read_lists()
        for job in worker.JOBS:
            self.measure("worker: all jobs once", partial(job.run, timezone.now()))
        self.costs["worker: all jobs once"].times = 1

    def measure(self, name: str, work: Callable[[], Any]) -> Any:
        cost = self.costs.setdefault(name, Cost())
        with cost.measured():
            return work()

    def connect(self, pk: int) -> None:
        name = Station.objects.get(pk=pk).station_id
        handshake = Handshake(name, ("ocpp1.6",))
        self.measure("handshake", lambda: admit(handshake, self.process))
        boot = Boot("Maker", "Model")
        now = timezone.now()
        self.measure("Boot", lambda: record_boot(station_pk=pk, boot=boot, received_at=now))

    def charge(self, station: Station) -> None:
        session = self.measure("start: API", lambda: ask(self.driver, station))
        command = calls.claim(station_pk=station.pk, fence=station.fence)
        assert command is not None
        calls.record_answer(command.pk, {"status": "Accepted"})
        now = timezone.now()
        fact = Started(1, session.id_tag, Decimal(1000), now, now)
        self.measure("StartTransaction", lambda: begin.begin(station=station, fact=fact))
        session.refresh_from_db()
        for number in range(READINGS_A_SESSION):
            self.meter(station, session, number)
        now = timezone.now()
        stopped = Stopped(session.transaction_id, Decimal(2000), now, now, reason="Remote")
        self.measure("StopTransaction", lambda: end.end(station=station, fact=stopped))

    def meter(self, station: Station, session: ChargingSession, number: int) -> None:
        now = timezone.now()
        sample = Sample(now, Decimal(1000 + number), Decimal(7200), context="Sample.Periodic")
        fact = Metered(1, session.transaction_id, (sample,), now, uuid.uuid4())
        self.measure("reading: meter.record", lambda: meter.record(station=station, fact=fact))
        with connection.cursor() as cursor:
            row = (str(session.pk), station.pk)
            self.measure("reading: plain INSERT", partial(cursor.execute, INSERT, row))

    def read_lists(self) -> None:
        staff = User.objects.get(username="staff")
        client = Client(SERVER_NAME="localhost")
        client.force_login(staff)
        for name, path in LISTS.items():
            token = AuthToken.objects.create(staff)[1] if path.startswith("/ocpp") else ""
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for _ in range(3):
                answer = self.measure(name, partial(client.get, path, headers=headers))
                assert answer.status_code == 200, (path, answer.status_code)


def throw_away() -> None:
    """Let go what was made older than it may be: that is no part of a usual round."""
    for purge in housekeeping.PURGES:
        while purge.run(timezone.now()):
            pass


def main() -> None:
    """`fill STATIONS SESSIONS READINGS FRAMES`, or `round CHARGES`."""
    what, *numbers = sys.argv[1:]
    if what == "fill":
        fill(Size(*map(int, numbers)))
        return
    know_server()
    charges = int(numbers[0])
    throw_away()
    Round(min(charges, 3)).run()  # so that all is warm
    measured = Round(charges)
    measured.run()
    json.dump({name: cost.each() for name, cost in measured.costs.items()}, sys.stdout)


main()
