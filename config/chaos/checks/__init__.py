"""The promises of the design, each asked of the evidence by a function that yields findings."""

from collections.abc import Callable, Iterator

from ..evidence import Evidence
from ..finding import Finding
from . import bills, books, charges, places, talk

CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    books.check_taken,
    books.check_holds,
    books.check_accounts,
    books.check_once,
    books.check_payers,
    books.check_wallets,
    bills.check_price,
    bills.check_loss,
    charges.check_settled,
    charges.check_told,
    charges.check_counted,
    charges.check_wishes,
    charges.check_review,
    charges.check_orphans,
    talk.check_answers,
    talk.check_errors,
    talk.check_stored_starts,
    talk.check_stored_stops,
    talk.check_stored_readings,
    talk.check_readings_once,
    places.check_presence,
    places.check_commands,
    places.check_fences,
    places.check_reports,
)


def find(evidence: Evidence) -> list[Finding]:
    """Return every broken promise, in the order of the checks."""
    return [finding for check in CHECKS for finding in check(evidence)]
