"""The Core profile of OCPP 1.6: one handler an action (§4), from boot to stop."""

from django.conf import settings
from django.utils import timezone
from ocpp.exceptions import PropertyConstraintViolationError, SecurityError
from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from sessions_app.models import TransactionNumber
from sessions_app.services.authorize import INVALID, TagVerdict, judge_tag
from sessions_app.services.begin import StartVerdict, begin
from sessions_app.services.end import end
from sessions_app.services.meter import Heard, record
from stations import reports
from stations.models import Station

from ..bridge import patiently
from ..request import Request
from . import facts, meter
from .exchange import Exchange, answers
from .prompt import MAX_CHARS
from .values import text


class Core(Exchange):
    """What every station sends."""

    @answers(Action.boot_notification)
    async def on_boot(self, request: Request) -> call_result.BootNotification:
        """§4.2: a station that is not accepted yet comes again after the interval."""
        self.followed.forget()
        said = reports.SaidBoot(
            self.link.station_pk, facts.boot(request.call.payload), request.received_at
        )
        booted = await self.link.arrivals.put(reports.record_boots, said)
        if booted is None:
            booted = reports.Booted(await patiently(reports.record_boot, **said._asdict()))
        self.registration, self.has_queued = booted
        return call_result.BootNotification(
            current_time=facts.wire_time(timezone.now()),
            interval=settings.CSMS_HEARTBEAT_INTERVAL_S,
            status=self.registration.value,
        )

    @answers(Action.heartbeat)
    async def on_heartbeat(self, request: Request) -> call_result.Heartbeat:
        """§4.6. Only of a lenient station and a broken one: the others are answered at once."""
        return self.heartbeat()

    @answers(Action.authorize)
    async def on_authorize(self, request: Request) -> call_result.Authorize:
        """§4.1."""
        id_tag = text(request.call.payload, "idTag")
        verdict = await self.use(_judge_here, id_tag=id_tag)
        return call_result.Authorize(id_tag_info=facts.id_tag_info(verdict))

    @answers(Action.status_notification)
    async def on_status(self, request: Request) -> call_result.StatusNotification:
        """§4.9."""
        status = facts.status(request.call.payload, request.received_at)
        said = reports.SaidStatus(self.link.station_pk, status)
        if not await self.link.arrivals.put(reports.record_statuses, said):
            await self.use(reports.record_status, status=status)
        return call_result.StatusNotification()

    @answers(Action.start_transaction)
    async def on_start(self, request: Request) -> call_result.StartTransaction:
        """§4.8. One that cannot be read is kept; a lenient station gets an id that is no one's."""
        try:
            verdict = await self.use(_begin_here, request=request)
        except PropertyConstraintViolationError as error:
            await self.keep(request, error.description)
            if not self.link.is_lenient:
                raise request.breach or error from None
            verdict = await self.use(_refuse_start)
        self.link.agenda.note(verdict.plan)
        return call_result.StartTransaction(
            transaction_id=verdict.transaction_id, id_tag_info=facts.id_tag_info(verdict.tag)
        )

    @answers(Action.meter_values)
    async def on_meter_values(self, request: Request) -> call_result.MeterValues:
        """§4.7. What cannot be placed is no reading: the message is kept for an operator."""
        try:
            if not await self._advance(request):
                heard = await self.use(_record_here, request=request)
                self.followed.take(heard.running)
                self.link.agenda.note(heard.plan)
        except PropertyConstraintViolationError as error:
            await self.keep(request, error.description)
            if not self.link.is_lenient:
                raise request.breach or error from None
        return call_result.MeterValues()

    async def _advance(self, request: Request) -> bool:
        """Take one more sample of a session that is followed; False for whatever else it is.

        A long message is not even read here: that would hold up the other sockets.
        """
        payload = request.call.payload
        if len(request.call.text) > MAX_CHARS or meter.has_untimed(payload, "meterValue"):
            return False
        return await self.followed.advance(
            facts.metered(payload, request.received_at, request.frame_id)
        )

    @answers(Action.stop_transaction)
    async def on_stop(self, request: Request) -> call_result.StopTransaction:
        """§4.10. Always confirmed: a station that is refused here asks for ever."""
        try:
            verdict = await self.use(_end_here, request=request)
        except PropertyConstraintViolationError as error:
            await self.keep(request, error.description)
            return call_result.StopTransaction()
        info = facts.id_tag_info(verdict) if verdict else None
        return call_result.StopTransaction(id_tag_info=info)

    @answers(Action.data_transfer)
    async def on_data_transfer(self, request: Request) -> call_result.DataTransfer:
        """§4.3. We know no vendor's messages."""
        return call_result.DataTransfer(status="UnknownVendorId")


def _judge_here(*, station: Station, id_tag: str) -> TagVerdict:
    if station.registration != Station.Registration.ACCEPTED:
        return INVALID
    return judge_tag(station=station, id_tag=id_tag, at=timezone.now())


def _begin_here(*, station: Station, request: Request) -> StartVerdict:
    """Begin, unless anyone may call themselves this station: then tags of others are not its."""
    if station.registration != Station.Registration.ACCEPTED:
        raise SecurityError("This station is not accepted.")
    return begin(station=station, fact=facts.started(request.call.payload, request.received_at))


def _record_here(*, station: Station, request: Request) -> Heard:
    payload = request.call.payload
    fact = facts.metered(payload, request.received_at, request.frame_id)
    heard = record(station=station, fact=fact)
    if meter.has_untimed(payload, "meterValue"):
        raise facts.unreadable("timestamp")
    return heard


def _end_here(*, station: Station, request: Request) -> TagVerdict | None:
    fact = facts.stopped(request.call.payload, request.received_at)
    if fact.transaction_id is None:
        raise facts.unreadable("transactionId")
    return end(station=station, fact=fact)


def _refuse_start(*, station: Station) -> StartVerdict:
    return StartVerdict(TransactionNumber.objects.create().pk, INVALID)
