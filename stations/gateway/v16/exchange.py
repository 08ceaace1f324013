"""How a call is handled, whatever it says: python-ocpp's routing, our reading and writing.

Its own loop dies on many a frame, validates in two thread hops, and answers a failed handler with
InternalError even where the station must keep its message; so frames come here already read, and
`handle` takes the place of `start` and `route_message`.
"""

import hashlib
import inspect
import json
import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

import ocpp.messages
from django.utils import timezone
from ocpp.exceptions import (
    FormationViolationError,
    InternalError,
    NotImplementedError,
    NotSupportedError,
    OCPPError,
)
from ocpp.routing import create_route_map, on
from ocpp.v16 import ChargePoint as PythonOcpp
from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from billing import context
from sessions_app.models import Orphan
from sessions_app.services import orphans
from stations.masking import mask_text
from stations.measures import CALL_ERRORS, OTHER
from stations.models import Station

from .. import schemas, wire
from ..bridge import DatabaseAway, patiently
from ..followed import Followed
from ..request import Link, Request
from . import answer, facts
from .prompt import PROMPT

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


class Exchange(PythonOcpp):
    """One socket's calls: judged, handed to their handler, and answered.

    The handlers are methods of its subclasses, one class a profile of OCPP 1.6.
    """

    handlers: ClassVar[dict[str, Callable[..., Any]]] = {}
    """By action, found once a class: python-ocpp looks for them once a socket."""
    validators: ClassVar[dict[str, Callable[[Any], bool]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        routes = create_route_map(cls).items()
        cls.handlers = {
            action.value: inspect.unwrap(route["_on_action"]) for action, route in routes
        }
        cls.validators = {
            action: schemas.request_validator(SUBPROTOCOL, action).is_valid
            for action in cls.handlers
        }

    def __init__(self, link: Link) -> None:
        # not python-ocpp's own: its routes, lock and queue cost 8 KiB a socket, for its own loop
        self.id = link.station_id
        self.link = link
        self.registration: Station.Registration | None = None
        self.followed = Followed(link.writer, link.agenda)
        self.has_queued = True

    def answer_at_once(self, request: Request, *, is_next: bool) -> str | None:
        """Return the answer where it needs no database, else None.

        That is the refusal of what would not be stored anyway, and what `prompt` answers. While
        calls before it are still being handled, of these only a Heartbeat does not wait.
        """
        call = request.call
        if self._is_sound(call):
            prompt = PROMPT.get(call.action)
            may_answer = is_next or call.action == "Heartbeat"
            return prompt(request) if prompt and may_answer else None
        request.breach = self._breach(call)
        if request.breach is None:
            return None
        is_kept = call.action in KEPT or (self.link.is_lenient and call.action in self.handlers)
        return None if is_kept else _refused(call, request.breach)

    async def handle(self, request: Request) -> None:
        """Do what a call says, and send its answer after what it changed was committed (P4).

        Raises DatabaseAway; then no answer was sent, and the station keeps its message.
        """
        context.begin({"station_id": self.id})
        try:
            answer = _confirmed(request.call.id, await self._confirm(request))
        except OCPPError as error:
            answer = _refused(request.call, error)
        await self.link.send(answer, action=request.call.action)

    async def _confirm(self, request: Request) -> Any:
        """Return the confirmation. Raises OCPPError for a CALLERROR: never for a stop (P5)."""
        is_stop = request.call.action == Action.stop_transaction
        try:
            confirmation = await self.handlers[request.call.action](self, request)
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

    def _is_sound(self, call: wire.Call) -> bool:
        """Whether nothing is wrong with a call; False also where only a closer look can tell."""
        is_valid = self.validators.get(call.action)
        if call.fault or is_valid is None:
            return False
        try:
            return bool(is_valid(call.payload))
        except ValueError:  # deeper than the validator goes
            return False

    def _breach(self, call: wire.Call) -> OCPPError | None:
        """What is wrong with a call before anyone looks at what it means."""
        if call.fault:
            self.link.note_breach()
            return FormationViolationError(call.fault)
        if call.action not in self.handlers:
            if schemas.is_known(SUBPROTOCOL, call.action):
                return NotSupportedError("This action is not for a central system.")
            return NotImplementedError("This action is not known.")
        found = schemas.request_breach(SUBPROTOCOL, call.action, call.payload)
        if found is None:
            return None
        self.link.note_breach()
        return found.error(found.description)

    # --- What handlers use ----------------------------------------------------------------

    def heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=facts.wire_time(timezone.now()))

    async def use(self, use_case: Callable[..., T], **arguments: Any) -> T:
        """Run a use case with this station, as its row now is; it may change what is followed."""
        self.followed.forget()
        return await patiently(_with_station, self.link.station_pk, use_case, arguments)

    async def keep(self, request: Request, cause: str) -> None:
        """Store a message that could not be used as it came (P8); others are only in the diary."""
        kind = KEPT.get(request.call.action)
        if kind is not None:
            await self.use(_keep_unreadable, kind=kind, call=request.call, cause=cause)

    async def _rescue(self, request: Request) -> None:
        """Keep a message that we failed on; where even that fails, the log has it."""
        try:
            await self.keep(request, "it could not be handled")
        except DatabaseAway:
            raise
        except Exception:  # noqa: BLE001 - the edge of the edge
            logger.critical("%s: not kept: %s", self.id, mask_text(request.call.text))


def _with_station(station_pk: int, use_case: Callable[..., T], arguments: dict[str, Any]) -> T:
    station = Station.objects.select_related("meter_profile").get(pk=station_pk)
    return use_case(station=station, **arguments)


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
    return wire.result(message_id, answer.payload_of(confirmation))


def _refused(call: wire.Call, error: OCPPError) -> str:
    action = call.action if schemas.is_known(SUBPROTOCOL, call.action) else OTHER
    CALL_ERRORS.add(action, error.code)
    return wire.error(call.id, error.code, (error.description or "")[:255])
