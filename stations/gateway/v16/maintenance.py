"""Firmware, diagnostics and logs of OCPP 1.6: what a station says while it works on them."""

from typing import Any

from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from stations import uploads
from stations.firmware import progress

from ..request import Request
from . import facts
from .exchange import Exchange, answers


class Maintenance(Exchange):
    """Progress of what an operator asked for; what nobody asked for is confirmed all the same."""

    @answers(Action.diagnostics_status_notification)
    async def on_diagnostics(self, request: Request) -> Any:
        """§4.4."""
        said = facts.progress(request.call.payload, request.received_at)
        await self.use(uploads.record_diagnostics, said=said)
        return call_result.DiagnosticsStatusNotification()

    @answers(Action.firmware_status_notification)
    async def on_firmware(self, request: Request) -> Any:
        """§4.5."""
        said = facts.progress(request.call.payload, request.received_at)
        await self.use(progress.record_status, said=said)
        return call_result.FirmwareStatusNotification()

    @answers(Action.log_status_notification)
    async def on_log_status(self, request: Request) -> Any:
        """Security whitepaper 5.12."""
        said = facts.progress(request.call.payload, request.received_at)
        await self.use(uploads.record_log, said=said)
        return call_result.LogStatusNotification()

    @answers(Action.signed_firmware_status_notification)
    async def on_signed_firmware(self, request: Request) -> Any:
        """Security whitepaper 5.18."""
        said = facts.progress(request.call.payload, request.received_at)
        await self.use(progress.record_status, said=said)
        return call_result.SignedFirmwareStatusNotification()
