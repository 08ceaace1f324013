"""The security extension of OCPP 1.6 (whitepaper, edition 3): events and certificates."""

from typing import Any

from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from ..request import Request
from .exchange import Exchange, answers


class Security(Exchange):
    """What a station says of its own safety."""

    @answers(Action.security_event_notification)
    async def on_security_event(self, request: Request) -> Any:
        """Security whitepaper 5.14."""
        return call_result.SecurityEventNotification()

    @answers(Action.sign_certificate)
    async def on_sign_certificate(self, request: Request) -> call_result.SignCertificate:
        """Security whitepaper 5.16. We are no certificate authority."""
        return call_result.SignCertificate(status="Rejected")
