from .account import Account, Transfer
from .idempotency import IdempotentRequest
from .outbox import OutboxMessage
from .payment import Payment
from .tariff import Tariff
from .user import User

__all__ = [
    "Account",
    "IdempotentRequest",
    "OutboxMessage",
    "Payment",
    "Tariff",
    "Transfer",
    "User",
]
