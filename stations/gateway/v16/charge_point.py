"""python-ocpp's ChargePoint for one socket: its routing and its messages, our reading and writing.

Its own loop dies on many a frame, validates in two thread hops, and answers a failed handler with
InternalError even where the station must keep its message; so frames come here already read, and
`handle` takes the place of `start` and `route_message`.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import ocpp.messages
from django.conf import settings
from django.utils import timezone
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.exceptions import (
    FormationViolationError,
    InternalError,
    NotImplementedError,
    NotSupportedError,
    OCPPError,
    PropertyConstraintViolationError,
    SecurityError,
)
from ocpp.routing import on
from ocpp.v16 import ChargePoint as PythonOcpp
from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from sessions_app.models import Orphan, TransactionNumber
from sessions_app.services import orphans
from sessions_app.services.authorize import INVALID, TagVerdict, judge_tag
from sessions_app.services.begin import StartVerdict, begin
from sessions_app.services.end import end
from sessions_app.services.meter import record
from stations import reports
from stations.frames import mask_text
from stations.models import Station

from .. import schemas, wire
from ..bridge import DatabaseAway, patiently
from ..request import Link, Request
from . import facts, meter
from .values import text

ocpp.messages.ASYNC_VALIDATION = False  # should anything still validate there: no thread hops

logger = logging.getLogger(__name__)

T = TypeVar("T")
Handler = TypeVar("Handler", bound=Callable[..., Any])
SUBPROTOCOL = "ocpp1.6"
Kind = Orphan.Kind

KEPT = {
    Action.start_transaction: Kind.START,
    Action.meter_values: Kind.READINGS,
    Action.stop_transaction: Kind.STOP,
}
"""Actions that are stored even when they break their schema, and as what (design section 7)."""
KEPT_CHARS = 100_000


def answers(action: Action) -> Callable[[Handler], Handler]:
    """python-ocpp's `on`, with its type."""
    return cast(Callable[[Handler], Handler], on(action))


class ChargePoint(PythonOcpp):
    """OCPP 1.6 with its security extension, over one socket."""

    def __init__(self, link: Link) -> None:
        super().__init__(link.station_id, link)
        self.link = link
        self.registration: Station.Registration | None = None

    def answer_at_once(self, request: Request) -> str | None:
        """Return the answer where it needs no database, else None.

        That is a Heartbeat, and the refusal of what would not be stored anyway.
        """
        call = request.call
        request.breach = self._breach(call)
        if request.breach is None:
            return _confirmed(call.id, self._heartbeat()) if call.action == "Heartbeat" else None
        is_kept = call.action in KEPT or (self.link.is_lenient and call.action in self.route_map)
        return None if is_kept else _refused(call.id, request.breach)

    async def handle(self, request: Request) -> None:
        """Do what a call says, and send its answer after what it changed was committed (P4).

        Raises DatabaseAway; then no answer was sent, and the station keeps its message.
        """
        try:
            answer = _confirmed(request.call.id, await self._confirm(request))
        except OCPPError as error:
            answer = _refused(request.call.id, error)
        await self.link.send(answer, action=request.call.action)

    async def _confirm(self, request: Request) -> Any:
        """Return the confirmation. Raises OCPPError for a CALLERROR: never for a stop (P5)."""
        is_stop = request.call.action == Action.stop_transaction
        try:
            confirmation = await self.route_map[request.call.action]["_on_action"](request)
        except (OCPPError, DatabaseAway):
            raise
        except Exception:
            logger.exception("%s: %s failed", self.id, request.call.action)
            await self._rescue(request)
            if not is_stop:
                raise InternalError("The call could not be handled.") from None
            return call_result.StopTransaction()
        if request.breach and not (is_stop or self.link.is_lenient):
            raise request.breach
        return confirmation

    def _breach(self, call: wire.Call) -> OCPPError | None:
        """What is wrong with a call before anyone looks at what it means."""
        if call.fault:
            return FormationViolationError(call.fault)
        if call.action not in self.route_map:
            if schemas.is_known(SUBPROTOCOL, call.action):
                return NotSupportedError("This action is not for a central system.")
            return NotImplementedError("This action is not known.")
        found = schemas.request_breach(SUBPROTOCOL, call.action, call.payload)
        return found.error(found.description) if found else None

    # --- From the station: one handler an action (OCPP 1.6 §4) --------------------------------

    @answers(Action.boot_notification)
    async def on_boot(self, request: Request) -> call_result.BootNotification:
        """§4.2: a station that is not accepted yet comes again after the interval."""
        self.registration = await patiently(
            reports.record_boot,
            station_pk=self.link.station_pk,
            boot=facts.boot(request.call.payload),
            received_at=request.received_at,
        )
        return call_result.BootNotification(
            current_time=facts.wire_time(timezone.now()),
            interval=settings.CSMS_HEARTBEAT_INTERVAL_S,
            status=self.registration.value,
        )

    @answers(Action.heartbeat)
    async def on_heartbeat(self, request: Request) -> call_result.Heartbeat:
        """§4.6. Only of a lenient station and a broken one: the others are answered at once."""
        return self._heartbeat()

    @answers(Action.authorize)
    async def on_authorize(self, request: Request) -> call_result.Authorize:
        """§4.1."""
        id_tag = text(request.call.payload, "idTag")
        verdict = await self._use(_judge_here, id_tag=id_tag)
        return call_result.Authorize(id_tag_info=facts.id_tag_info(verdict))

    @answers(Action.status_notification)
    async def on_status(self, request: Request) -> call_result.StatusNotification:
        """§4.9."""
        status = facts.status(request.call.payload, request.received_at)
        await self._use(reports.record_status, status=status)
        return call_result.StatusNotification()

    @answers(Action.start_transaction)
    async def on_start(self, request: Request) -> call_result.StartTransaction:
        """§4.8. One that cannot be read is kept; a lenient station gets an id that is no one's."""
        try:
            verdict = await self._use(_begin_here, request=request)
        except PropertyConstraintViolationError as error:
            await self._keep(request, error.description)
            if not self.link.is_lenient:
                raise request.breach or error from None
            verdict = await self._use(_refuse_start)
        return call_result.StartTransaction(
            transaction_id=verdict.transaction_id, id_tag_info=facts.id_tag_info(verdict.tag)
        )

    @answers(Action.meter_values)
    async def on_meter_values(self, request: Request) -> call_result.MeterValues:
        """§4.7. What cannot be placed is no reading: the message is kept for an operator."""
        try:
            await self._use(_record_here, request=request)
        except PropertyConstraintViolationError as error:
            await self._keep(request, error.description)
            if not self.link.is_lenient:
                raise request.breach or error from None
        return call_result.MeterValues()

    @answers(Action.stop_transaction)
    async def on_stop(self, request: Request) -> call_result.StopTransaction:
        """§4.10. Always confirmed: a station that is refused here asks for ever."""
        try:
            verdict = await self._use(_end_here, request=request)
        except PropertyConstraintViolationError as error:
            await self._keep(request, error.description)
            return call_result.StopTransaction()
        info = facts.id_tag_info(verdict) if verdict else None
        return call_result.StopTransaction(id_tag_info=info)

    @answers(Action.data_transfer)
    async def on_data_transfer(self, request: Request) -> call_result.DataTransfer:
        """§4.3. We know no vendor's messages."""
        return call_result.DataTransfer(status="UnknownVendorId")

    @answers(Action.diagnostics_status_notification)
    async def on_diagnostics(self, request: Request) -> Any:
        """§4.4. The diary of frames keeps it, as with the next four."""
        return call_result.DiagnosticsStatusNotification()

    @answers(Action.firmware_status_notification)
    async def on_firmware(self, request: Request) -> Any:
        """§4.5."""
        return call_result.FirmwareStatusNotification()

    @answers(Action.log_status_notification)
    async def on_log_status(self, request: Request) -> Any:
        """Security whitepaper 5.12."""
        return call_result.LogStatusNotification()

    @answers(Action.security_event_notification)
    async def on_security_event(self, request: Request) -> Any:
        """Security whitepaper 5.14."""
        return call_result.SecurityEventNotification()

    @answers(Action.signed_firmware_status_notification)
    async def on_signed_firmware(self, request: Request) -> Any:
        """Security whitepaper 5.18."""
        return call_result.SignedFirmwareStatusNotification()

    @answers(Action.sign_certificate)
    async def on_sign_certificate(self, request: Request) -> call_result.SignCertificate:
        """Security whitepaper 5.16. We are no certificate authority."""
        return call_result.SignCertificate(status="Rejected")

    # --- Inside ---------------------------------------------------------------------------------

    def _heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=facts.wire_time(timezone.now()))

    async def _use(self, use_case: Callable[..., T], **arguments: Any) -> T:
        """Run a use case with this station, as its row now is."""
        return await patiently(_with_station, self.link.station_pk, use_case, arguments)

    async def _keep(self, request: Request, cause: str) -> None:
        """Store a message that could not be used as it came (P8); others are only in the diary."""
        kind = KEPT.get(request.call.action)
        if kind is not None:
            await self._use(_keep_unreadable, kind=kind, call=request.call, cause=cause)

    async def _rescue(self, request: Request) -> None:
        """Keep a message that we failed on; where even that fails, the log has it."""
        try:
            await self._keep(request, "it could not be handled")
        except DatabaseAway:
            raise
        except Exception:  # noqa: BLE001 - the edge of the edge
            logger.critical("%s: not kept: %s", self.id, mask_text(request.call.text))


def _with_station(station_pk: int, use_case: Callable[..., T], arguments: dict[str, Any]) -> T:
    return use_case(station=Station.objects.get(pk=station_pk), **arguments)


def _judge_here(*, station: Station, id_tag: str) -> TagVerdict:
    if station.registration != Station.Registration.ACCEPTED:
        return INVALID
    return judge_tag(station=station, id_tag=id_tag, at=timezone.now())


def _begin_here(*, station: Station, request: Request) -> StartVerdict:
    """Begin, unless anyone may call themselves this station: then tags of others are not its."""
    if station.registration != Station.Registration.ACCEPTED:
        raise SecurityError("This station is not accepted.")
    return begin(station=station, fact=facts.started(request.call.payload, request.received_at))


def _record_here(*, station: Station, request: Request) -> None:
    payload = request.call.payload
    fact = facts.metered(payload, request.received_at, request.frame_id)
    record(station=station, fact=fact)
    if meter.has_untimed(payload, "meterValue"):
        raise facts.unreadable("timestamp")


def _end_here(*, station: Station, request: Request) -> TagVerdict | None:
    fact = facts.stopped(request.call.payload, request.received_at)
    if fact.transaction_id is None:
        raise facts.unreadable("transactionId")
    return end(station=station, fact=fact)


def _refuse_start(*, station: Station) -> StartVerdict:
    return StartVerdict(TransactionNumber.objects.create().pk, INVALID)


def _keep_unreadable(*, station: Station, kind: Orphan.Kind, call: wire.Call, cause: str) -> None:
    """One row a message: its resend has another message id and is the same message."""
    frame = mask_text(call.text[:KEPT_CHARS])
    body = call.text.replace(json.dumps(call.id), "", 1)
    orphans.keep_unreadable(
        station,
        kind,
        key=hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest(),
        payload={"frame": frame},
        cause=cause,
    )


def _confirmed(message_id: str, confirmation: Any) -> str:
    payload = snake_to_camel_case(remove_nones(serialize_as_dict(confirmation)))
    return wire.result(message_id, payload)


def _refused(message_id: str, error: OCPPError) -> str:
    return wire.error(message_id, error.code, (error.description or "")[:255])
