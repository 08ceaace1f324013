"""Cash or a bank transfer that staff have seen."""

from ..models import Payment
from ..money import Minor


class Manual:
    """Paid at once, on the word of staff; what goes back is handed over by staff, too."""

    name = "manual"
    is_for_staff = True

    def is_enabled(self) -> bool:
        return True

    def refund(self, payment: Payment, amount: Minor) -> None:
        pass
