from .account import Account, Transfer
from .idempotency import IdempotentRequest
from .outbox import OutboxMessage
from .payment import Payment
from .receipt import FiscalRegistration, Receipt, ReceiptCounter
from .tariff import Tariff
from .user import User

__all__ = [
    "Account",
    "FiscalRegistration",
    "IdempotentRequest",
    "OutboxMessage",
    "Payment",
    "Receipt",
    "ReceiptCounter",
    "Tariff",
    "Transfer",
    "User",
]
