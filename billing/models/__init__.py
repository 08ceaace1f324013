from .account import Account, Transfer
from .idempotency import IdempotentRequest
from .notice import Notice, NoticeChannel, NoticeKind, NoticePreference
from .outbox import OutboxMessage
from .payment import Payment, PaymentReturn
from .receipt import FiscalRegistration, Receipt, ReceiptCounter
from .sandbox import SandboxPayment
from .tariff import Tariff
from .terminal import TerminalPayment
from .user import User
from .webhook import PaymentWebhook

__all__ = [
    "Account",
    "FiscalRegistration",
    "IdempotentRequest",
    "Notice",
    "NoticeChannel",
    "NoticeKind",
    "NoticePreference",
    "OutboxMessage",
    "Payment",
    "PaymentReturn",
    "PaymentWebhook",
    "Receipt",
    "ReceiptCounter",
    "SandboxPayment",
    "Tariff",
    "TerminalPayment",
    "Transfer",
    "User",
]
