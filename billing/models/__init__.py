from .account import Account, Transfer
from .idempotency import IdempotentRequest
from .outbox import OutboxMessage
from .payment import Payment, PaymentReturn
from .sandbox import SandboxPayment
from .tariff import Tariff
from .terminal import TerminalPayment
from .user import User
from .webhook import PaymentWebhook

__all__ = [
    "Account",
    "IdempotentRequest",
    "OutboxMessage",
    "Payment",
    "PaymentReturn",
    "PaymentWebhook",
    "SandboxPayment",
    "Tariff",
    "TerminalPayment",
    "Transfer",
    "User",
]
