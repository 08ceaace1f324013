"""A charging station in software: its power, its network, its charges, and what it still owes.

What happens to it (a card, a plug, a cut cable, a power failure) are methods, which a scenario
calls. What it must not lose is in its memory; all else is gone when the power is.
"""

import asyncio
import datetime as dt
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from . import answers, charging, conversation
from .certificates import Certificates
from .clock import Clock, stamp
from .configuration import Configuration
from .connector import Connector, Setup, meter_stop
from .errors import Disconnected, HandshakeRefused, ScenarioFailed, Unreachable
from .maintenance import Maintenance
from .memory import Memory, Message, Transaction
from .quirks import Quirks
from .stack import Stack
from .tags import KnownTags
from .wire import Payload, Wire, dial

RECONNECT_AFTER_S = (0.5, 1, 2, 5, 10)
KEPT_LINES = 200


class PowerOff(Exception):
    """Ends everything that a station does."""


class SimulatedStation:
    """`report` is told in a few words what happens; `delivered` are the charges that are told."""

    def __init__(
        self,
        setup: Setup,
        *,
        memory: Memory | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.setup = setup
        self.memory = memory or Memory()
        self.memory.key = setup.key or self.memory.key
        self._reporter = report
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.clock = Clock()
        self.profiles = Stack(self.clock)
        self.delivered: list[Transaction] = []
        self.refusals: list[str] = []
        self.lost_reply: Payload | None = None
        self.quirks = Quirks()
        self.has_cable = True
        self.heard: list[str] = []
        self.missed_states: list[Payload] = []
        self._action_to_lose = ""
        self._network = asyncio.Event()
        self._network.set()
        self.connections = 0
        self._changed = asyncio.Event()
        self._forget()

    def _forget(self) -> None:
        """Be as after a power failure: message ids begin at 1 and nothing is agreed."""
        self.configuration = Configuration(
            connectors=self.setup.connectors,
            interval_s=self.setup.interval_s,
            attempts=self.setup.attempts,
        )
        self.connectors = {
            number: Connector(number, setup=self.setup, memory=self.memory, clock=self.clock)
            for number in range(1, self.setup.connectors + 1)
        }
        self.tags = KnownTags(self.memory, self.configuration)
        self.certificates = Certificates(self.memory)
        self.maintenance = Maintenance(self)
        self.memory.forget_announcements()
        self.heartbeat_s = 60.0
        self.is_accepted = False
        self.is_ready = False  # connected, accepted, statuses told
        self.wire: Wire | None = None
        self.message_ids = itertools.count(1)

    # --- Power and network ----------------------------------------------------------------

    @asynccontextmanager
    async def powered(self) -> AsyncIterator[None]:
        """Have power while the block runs. Raises what ended the station, if anything did."""
        self._forget()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._stay_connected())
                yield
                if self.wire is not None:
                    await self.wire.close()
                raise PowerOff
        except BaseExceptionGroup as group:
            cause = group.exceptions[0]
            if not isinstance(cause, PowerOff):
                raise cause from None
        finally:
            self.cut_socket()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside all else, as long as there is power."""
        return self._tasks.create_task(work)

    @property
    def is_silent(self) -> bool:
        """Whether it has nothing left to say."""
        return not self.memory.queue

    def cut_network(self) -> None:
        """Lose the network, without a close frame, until it is restored."""
        self._network.clear()
        self.cut_socket()

    def restore_network(self) -> None:
        self._network.set()

    def cut_socket(self) -> None:
        if self.wire is not None:
            self.wire.abort()

    def lose_reply_to(self, action: str) -> None:
        """Let the connection break in the moment that the next reply to `action` is on its way."""
        self._action_to_lose, self.lost_reply = action, None

    def _is_lost(self, action: str, reply: Payload) -> bool:
        if action != self._action_to_lose:
            return False
        self._action_to_lose, self.lost_reply = "", reply
        self.report(f"lost the reply to {action}")
        self.changed()
        return True

    async def _stay_connected(self) -> None:
        delays = iter(RECONNECT_AFTER_S)
        while True:
            await self._network.wait()
            try:
                await self._connect()
            except Disconnected:
                self.report("disconnected")
                delays = iter(RECONNECT_AFTER_S)
            except (Unreachable, HandshakeRefused) as error:
                if not self.connections or (isinstance(error, HandshakeRefused) and error.is_final):
                    raise
            await asyncio.sleep(next(delays, RECONNECT_AFTER_S[-1]))

    async def _connect(self) -> None:
        """Hold one connection until it is gone. Raises Disconnected and what dial raises."""
        socket = await dial(self.setup.url, self.setup.station_id, self.memory.key)
        self.wire = Wire(
            socket,
            message_ids=self.message_ids,
            answer=lambda action, payload: answers.answer(self, action, payload),
            lose_reply=self._is_lost,
        )
        self.connections += 1
        self.report("connected")
        if not self._network.is_set():  # it went while we dialled
            self.cut_socket()
        try:
            await conversation.hold(self, self.wire)
        finally:
            self.cut_socket()
            self.wire, self.is_ready = None, False
            self.memory.forget_announcements()
            self.changed()

    def reboot(self, reason: str) -> None:
        """End what runs, and come back as after a power failure."""
        for connector in self.connectors.values():
            self.end(connector, reason)
        self.cut_socket()
        self.is_accepted = False
        self.message_ids = itertools.count(1)

    def report(self, line: str) -> None:
        """Tell the person who watches what happens, and keep it for a log."""
        self.lines.append(f"{stamp(self.clock.now())} {line}")
        self._reporter(line)

    # --- Waiting --------------------------------------------------------------------------

    def changed(self) -> None:
        """Save what must not be lost, and wake whoever waits for something to be true."""
        self.memory.save()
        self._changed.set()

    async def until(self, is_true: Callable[[], object]) -> None:
        while not is_true():
            self._changed.clear()
            await self._changed.wait()

    def heed_time(self, told: str) -> None:
        """Set a clock that is far from the server's (OCPP 1.6 §4.2)."""
        if not self.quirks.ignores_time and self.clock.heed(dt.datetime.fromisoformat(told)):
            self.report(f"the clock is set to {told}")

    # --- What the station says ------------------------------------------------------------

    def owe(self, action: str, payload: Payload, transaction: Transaction) -> None:
        """Queue a message about a transaction: it is kept until it is confirmed."""
        self.memory.queue.append(Message(action, payload, transaction.number))
        self.changed()

    def announce(self, action: str, payload: Payload) -> None:
        """Queue a message that is of no use later: it is forgotten with the connection."""
        if self.wire is not None:
            self.memory.queue.append(Message(action, payload))
        elif self.quirks.keeps_states and action == "StatusNotification":
            self.missed_states.append(payload)
        self.changed()

    def announce_status(self, connector_id: int) -> None:
        self.announce("StatusNotification", self.status_of(connector_id))

    def status_of(self, connector_id: int) -> Payload:
        """Return a StatusNotification.req; connector 0 is the station itself."""
        connector = self.connectors.get(connector_id)
        return {
            "connectorId": connector_id,
            "errorCode": "NoError",
            "status": connector.status if connector else "Available",
            "timestamp": stamp(self.clock.now()),
        }

    def set_status(self, connector: Connector, status: str) -> None:
        connector.status = status
        self.report(f"connector {connector.connector_id} {status}")
        self.announce_status(connector.connector_id)

    # --- Charges --------------------------------------------------------------------------

    async def present_tag(self, connector: Connector, id_tag: str) -> None:
        """A driver plugs in and holds a card to the station. Raises ScenarioFailed if refused."""
        before = connector.status
        self.set_status(connector, "Preparing")
        try:
            info = await self.tags.authorise(id_tag, wire=self.wire, now=self.clock.now())
            if info["status"] != "Accepted":
                raise ScenarioFailed(f"the tag {id_tag} is {info['status']}")
            if not connector.admits(id_tag, info.get("parentIdTag", "")):
                raise ScenarioFailed(
                    f"connector {connector.connector_id} is reserved for another tag"
                )
        except ScenarioFailed:
            self.set_status(connector, before)
            raise
        self.begin(connector, id_tag)

    def obey_start(self, connector: Connector, id_tag: str) -> None:
        """Start from afar, or wait for a cable as long as ConnectionTimeOut (OCPP 1.6 §5.11)."""
        if self.has_cable:
            self.begin(connector, id_tag)
            return
        self.set_status(connector, "Preparing")
        self.spawn(charging.await_cable(self, connector))

    def begin(self, connector: Connector, id_tag: str) -> None:
        """Start a transaction; the car is plugged in."""
        if connector.status != "Preparing":
            self.set_status(connector, "Preparing")
        transaction = connector.begin(id_tag)
        self.owe("StartTransaction", connector.start_of(transaction), transaction)
        self.set_status(connector, "Charging")
        charging.meter(self, connector)
        self.sample(connector, "Transaction.Begin")
        self.spawn(charging.charge(self, connector, transaction))

    def end(self, connector: Connector, reason: str) -> None:
        """End the transaction that runs on a connector, and let the car go."""
        transaction = connector.transaction
        if transaction is None:
            return
        connector.meter()
        connector.end()
        self.profiles.forget_charge(connector.connector_id)
        self.owe(
            "StopTransaction",
            {
                "idTag": transaction.id_tag,
                "meterStop": meter_stop(self.setup.meter, connector.register_wh),
                "timestamp": transaction.seen_at,
                "reason": reason,
            },
            transaction,
        )
        self.set_status(connector, "Finishing")
        self.set_status(connector, connector.idle_status)

    def connector_of(self, transaction_id: int) -> Connector | None:
        """Return where a transaction runs, None when it does not."""
        for connector in self.connectors.values():
            transaction = connector.transaction
            if transaction is not None and transaction.transaction_id == transaction_id:
                return connector
        return None

    def end_interrupted(self) -> None:
        """End what a power failure cut off: the car is still there, but the station forgot it."""
        for connector in self.connectors.values():
            if connector.car is None:
                self.end(connector, "PowerLoss")

    def sample(self, connector: Connector, context: str = "Sample.Periodic") -> None:
        """Queue a MeterValues of this moment."""
        payload = {
            "connectorId": connector.connector_id,
            "meterValue": connector.sampled(context),
        }
        if connector.transaction is None:
            self.announce("MeterValues", payload)
        else:
            for _ in range(self.setup.meter.copies):
                self.owe("MeterValues", payload, connector.transaction)

    def learn(self, message: Message, reply: Payload) -> None:
        """Take note of what the server answered to a message about a transaction.

        Raises ScenarioFailed for an answer that breaks the schema.
        """
        if message.action == "StartTransaction":
            transaction = self.memory.transactions[message.number]
            match reply:
                case {"transactionId": int(number), "idTagInfo": {"status": str(verdict)} as info}:
                    transaction.transaction_id, transaction.verdict = number, verdict
                    self.tags.learn(transaction.id_tag, info)
                case _:
                    raise ScenarioFailed(f"StartTransaction was answered with {reply}")
            self._heed_verdict(transaction)
        elif message.action == "StopTransaction":
            self.delivered.append(self.memory.transactions.pop(message.number))
        self.changed()

    def _heed_verdict(self, transaction: Transaction) -> None:
        connector = self.connectors[transaction.connector_id]
        is_refused = transaction.verdict != "Accepted" and connector.transaction is transaction
        if is_refused and self.configuration.is_on("StopTransactionOnInvalidId"):
            self.report(f"the tag {transaction.id_tag} is {transaction.verdict}")
            self.end(connector, "DeAuthorized")
