"""Plays a station and its clock against the use cases: state is made through the real path."""

import datetime as dt
from decimal import Decimal

from django.utils import timezone

from billing.money import to_minor
from sessions_app.facts import Metered, Sample, Started, Stopped
from sessions_app.models import ChargingSession
from sessions_app.services import begin, calls, end, resume, start, stop
from sessions_app.services.holds import Limit
from sessions_app.tests.follower import Follower
from stations.models import GatewayProcess, Station

FAR = dt.timedelta(days=3650)


class Stage:
    """One station with a socket that never sleeps, and the clock that it stamps with."""

    def __init__(self, station: Station):
        self.now = timezone.now()
        self.register_wh = Decimal(1000)
        self.follower = Follower()
        self.station = connect(station)

    def pass_time(self, **amount: float) -> None:
        self.now += dt.timedelta(**amount)

    def ask(self, driver, limit_type="amount", value=None, *, connector_id=1, max_amount=None):
        limit = Limit(
            ChargingSession.LimitType(limit_type),
            Decimal(value) if value is not None else None,
            to_minor(Decimal(max_amount)) if max_amount is not None else None,
        )
        return start.request_start(
            driver=driver,
            station_id=self.station.station_id,
            connector_id=connector_id,
            limit=limit,
            actor=driver,
        )

    def take_command(self):
        """Send what is queued next; return its row."""
        return calls.claim(station_pk=self.station.pk, fence=self.station.fence)

    def answer(self, command, status="Accepted"):
        calls.record_answer(command.pk, {"status": status})

    def accept_start(self):
        self.answer(self.take_command())

    def begin(self, session_or_tag, *, connector_id=1, at=None, received_at=None):
        tag = getattr(session_or_tag, "id_tag", session_or_tag)
        self.started_at = at or self.now
        self.meter_start = self.register_wh
        return self.repeat_begin(tag, connector_id=connector_id, received_at=received_at)

    def repeat_begin(self, tag, *, connector_id=1, received_at=None):
        fact = Started(
            connector_id=connector_id,
            id_tag=tag,
            meter_start_wh=self.meter_start,
            at=self.started_at,
            received_at=received_at or self.now,
        )
        return begin.begin(station=self.station, fact=fact)

    def deliver(self, transaction_id, energy_wh, *, seconds=60.0, connector_id=1, **sample):
        """Let energy flow for some seconds, then send one sample of it."""
        self.pass_time(seconds=seconds)
        self.register_wh += Decimal(energy_wh)
        self.sample(transaction_id, connector_id=connector_id, **sample)

    def sample(self, transaction_id, *, connector_id=1, register_wh=None, at=None, **values):
        register = self.register_wh if register_wh is None else Decimal(register_wh)
        fact = Metered(
            connector_id=connector_id,
            transaction_id=transaction_id,
            samples=(
                Sample(
                    at=at or self.now, register_wh=register, context="Sample.Periodic", **values
                ),
            ),
            received_at=self.now,
        )
        self.follower.take(self.station, fact)

    def end(self, transaction_id, *, register_wh=None, at=None, reason="Remote", id_tag=""):
        register = self.register_wh if register_wh is None else Decimal(register_wh)
        return end.end(
            station=self.station,
            fact=Stopped(
                transaction_id=transaction_id,
                meter_stop_wh=register,
                at=at or self.now,
                received_at=self.now,
                reason=reason,
                id_tag=id_tag,
            ),
        )

    def end_unmetered(self, transaction_id, *, register_wh):
        """A stop whose meterStop cannot be read, with a sample of its end in transactionData."""
        sample = Sample(self.now, Decimal(register_wh), context="Transaction.End")
        fact = Stopped(transaction_id, None, self.now, self.now, samples=(sample,))
        return end.end(station=self.station, fact=fact)

    def charge(self, driver, limit_type="amount", value="500", **where):
        """Ask, begin, and return the session with its transaction id."""
        session = self.ask(driver, limit_type, value, **where)
        self.accept_start()
        self.begin(session)
        session.refresh_from_db()
        return session

    def stop(self, session, actor):
        return stop.request_stop(session_id=session.pk, actor=actor)

    def disconnect(self):
        Station.objects.filter(pk=self.station.pk).update(owner=None)
        calls.cut_off(station_pk=self.station.pk, fence=self.station.fence + 1)

    def reconnect(self):
        self.station = connect(self.station)
        calls.cut_off(station_pk=self.station.pk, fence=self.station.fence)
        resume.resume(station=self.station)


def connect(station: Station) -> Station:
    """Give a station a live socket of a process whose lease does not end during a test."""
    process = GatewayProcess.objects.create(
        channel="test", host="test", lease_at=timezone.now() + FAR
    )
    Station.objects.filter(pk=station.pk).update(owner=process, fence=station.fence + 1)
    return Station.objects.select_related("owner").get(pk=station.pk)
