"""What a charge costs: pure functions from terms and periods to a bill. No database, no clock.

Amounts are integer minor units, unit prices Decimal in major units, energy integer Wh. Money is
rounded once a line, half up (`money.round_minor`), and the total is the sum of the lines. The
choices where OCPI is silent are in docs/adr/0020 to 0022, worked examples in
docs/accounting.md.
"""

from .bill import Bill, Line
from .estimate import affordable_wh, ceiling, is_uniform
from .parse import parse_elements, parse_terms
from .periods import Period, State
from .plain import total_by_energy
from .tally import price
from .terms import Component, Element, PriceBound, Restrictions, Terms

__all__ = [
    "Bill",
    "Component",
    "Element",
    "Line",
    "Period",
    "PriceBound",
    "Restrictions",
    "State",
    "Terms",
    "affordable_wh",
    "ceiling",
    "is_uniform",
    "parse_elements",
    "parse_terms",
    "price",
    "total_by_energy",
]
