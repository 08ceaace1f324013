"""The security extension of OCPP 1.6 (whitepaper, edition 3): events and certificates."""

from typing import Any

from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from stations import security_events
from stations.certificates import issue

from ..request import Request
from . import facts
from .exchange import Exchange, answers
from .values import text

MAX_CSR = 5500


class Security(Exchange):
    """What a station says of its own safety."""

    @answers(Action.security_event_notification)
    async def on_security_event(self, request: Request) -> Any:
        """Security whitepaper 5.14."""
        notice = facts.security_notice(request.call.payload, request.received_at)
        await self.use(security_events.record, notice=notice)
        return call_result.SecurityEventNotification()

    @answers(Action.sign_certificate)
    async def on_sign_certificate(self, request: Request) -> call_result.SignCertificate:
        """Security whitepaper 5.16; CertificateSigned follows as a command of ours."""
        csr = text(request.call.payload, "csr", length=MAX_CSR)
        is_taken = await self.use(issue.sign, request=csr)
        return call_result.SignCertificate(status="Accepted" if is_taken else "Rejected")
