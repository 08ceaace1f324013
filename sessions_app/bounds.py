"""What ends a session: its hold, and the limit that was bought (design section 4). Pure."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from billing.energy import Wh
from billing.money import Minor


@dataclass(frozen=True, slots=True)
class Bounds:
    """The hold, which is always a limit, and at most one limit beside it."""

    hold_minor: Minor
    energy_wh: Wh | None = None
    ends_at: dt.datetime | None = None
    soc: Decimal | None = None

    def are_reached(
        self, *, energy_wh: Wh, total: Minor, soc: Decimal | None, now: dt.datetime
    ) -> bool:
        """Whether what was delivered reaches one of them; a hold of nothing is a limit too."""
        if total and total >= self.hold_minor:
            return True
        if self.energy_wh is not None:
            return energy_wh >= self.energy_wh
        if self.ends_at is not None:
            return now >= self.ends_at
        return self.soc is not None and soc is not None and soc >= self.soc
