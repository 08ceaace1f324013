"""What can go wrong with money and people.

KubatError (code, default sentence, HTTP status)
├── Invalid                 400, with `fields`
├── WrongCredentials        401
├── Forbidden               403
├── NotFound                404
├── Conflict                409
│   ├── IdempotencyRunning
│   ├── HoldResolved
│   └── ProviderRefused
├── InsufficientFunds       402
├── IdempotencyMismatch     422
├── TooManyAttempts         429, with `retry_after_s`
├── ProviderUnavailable     503
└── UnverifiedWebhook       403
"""

from typing import ClassVar


class KubatError(Exception):
    """An error that a caller is told about: `code` is stable, `detail` is for people."""

    code: ClassVar[str] = "error"
    detail_default: ClassVar[str] = "The request could not be carried out."
    status: ClassVar[int] = 400

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.detail_default
        super().__init__(self.detail)


class Invalid(KubatError):
    code = "invalid"
    detail_default = "The request is not valid."

    def __init__(self, detail: str = "", *, fields: dict[str, list[str]] | None = None) -> None:
        super().__init__(detail)
        self.fields = fields or {}


class WrongCredentials(KubatError):
    code = "wrong_credentials"
    detail_default = "This name and password do not belong together."
    status = 401


class Forbidden(KubatError):
    code = "forbidden"
    detail_default = "You may not do this."
    status = 403


class NotFound(KubatError):
    code = "not_found"
    detail_default = "There is no such thing."
    status = 404


class Conflict(KubatError):
    code = "conflict"
    detail_default = "This cannot be done now."
    status = 409


class IdempotencyRunning(Conflict):
    code = "idempotency_running"
    detail_default = "The first request with this Idempotency-Key is still running."


class HoldResolved(Conflict):
    code = "hold_resolved"
    detail_default = "This hold is already captured or voided."


class ProviderRefused(Conflict):
    code = "provider_refused"
    detail_default = "The payment provider refused this."


class InsufficientFunds(KubatError):
    code = "insufficient_funds"
    detail_default = "The available balance does not cover this."
    status = 402


class IdempotencyMismatch(KubatError):
    code = "idempotency_mismatch"
    detail_default = "This Idempotency-Key was used with another body."
    status = 422


class TooManyAttempts(KubatError):
    code = "throttled"
    detail_default = "Too many attempts; wait a while."
    status = 429

    def __init__(self, detail: str = "", *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ProviderUnavailable(KubatError):
    code = "provider_unavailable"
    detail_default = "The payment provider does not answer; try again."
    status = 503


class UnverifiedWebhook(KubatError):
    code = "unverified"
    detail_default = "This message is not signed by the provider."
    status = 403
