"""What has happened so far, from sums that are kept: money, charges, and how commands ended."""

from collections import Counter
from collections.abc import Iterator, Mapping

from django.conf import settings
from prometheus_client.core import Metric

from billing.day_totals import MOVING
from billing.models import Account, Transfer
from stations.gateway import schemas
from stations.measures import OTHER, Labels

from .. import results, tallies
from ..flows import Kept
from ..tallies import Moved
from .families import counter, gauge, histogram, major, number
from .rows import NO_SITE, site_names


def collect(kept: Kept) -> Iterator[Metric]:
    yield from _money(tallies.transfers(kept))
    names = site_names()
    yield from _charges(kept, names)
    yield from _losses(kept, names)
    yield from _commands(kept)


def _money(transfers: list[Moved]) -> Iterator[Metric]:
    """What is held, what each kind of account has, and what has moved by which transfers.

    All of it follows from the sums of the transfers (P2).
    """
    yield number("holds", "Unresolved holds.", sum(map(_holds, transfers)))
    held = sum(map(_held, transfers))
    unit = settings.CSMS_CURRENCY
    text = "Money that holds set aside."
    yield gauge("held", text, ["currency"], [([unit], major(held))])
    text = "Balances by kind of account; a customer's is what we owe."
    balances = (([kind, unit], sum_) for kind, sum_ in _balances(transfers).items())
    yield gauge("balance", text, ["kind", "currency"], balances)

    labels = ["kind", "code"]
    numbers, amounts = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row in transfers:
        numbers[row.kind, row.code] += row.number
        amounts[row.kind, row.code] += row.amount_minor
    yield counter("transfers", "Transfers in the ledger.", labels, numbers.items())
    money = ((key, major(amount)) for key, amount in amounts.items())
    yield counter("transferred", "Money in these transfers.", labels, money)


def _holds(moved: Moved) -> int:
    """How many holds these transfers opened, less those that they resolved."""
    if moved.kind == Transfer.Kind.PENDING:
        return moved.number
    return -moved.number if moved.kind != Transfer.Kind.POSTED else 0


def _held(moved: Moved) -> int:
    return (moved.amount_minor if moved.kind == Transfer.Kind.PENDING else 0) - moved.freed_minor


def _balances(transfers: list[Moved]) -> dict[str, float]:
    """The balance of each kind of account in major units."""
    balances = dict.fromkeys(Account.Kind.values, 0)
    for moved in transfers:
        if moved.kind in MOVING:
            balances[moved.credit] += moved.amount_minor
            balances[moved.debit] -= moved.amount_minor
    return {kind: major(minor) for kind, minor in balances.items()}


def _charges(kept: Kept, names: Mapping[int, str]) -> Iterator[Metric]:
    """Energy that was sold, and how much of it flowed past the limit of its session."""
    sites = {site: Counter[str]() for site in (NO_SITE, *names.values())}
    buckets = [0] * len(results.OVERSHOOTS_WH)
    limits = past_wh = 0
    for site, many, wh, limited, past, *counts in results.CHARGES.read(kept):
        row = {"charges": many, "wh": wh, "past": past}
        sites[names.get(site, NO_SITE)].update(row)
        buckets = [mine + its for mine, its in zip(buckets, counts, strict=True)]
        limits, past_wh = limits + limited, past_wh + past
    for name, text, key in (
        ("charges", "Charges that were settled.", "charges"),
        ("energy_watt_hours", "Energy of settled charges.", "wh"),
        ("overshoot_watt_hours", "Energy that flowed past the limits of sessions.", "past"),
    ):
        yield counter(name, text, ["site"], (([site], row[key]) for site, row in sites.items()))
    text = "How far a settled session went past its limit."
    samples: list[tuple[Labels, list[int], int]] = [((), [*buckets, limits], past_wh)]
    yield histogram("session_overshoot_watt_hours", text, [], results.OVERSHOOTS_WH, samples)


def _losses(kept: Kept, names: Mapping[int, str]) -> Iterator[Metric]:
    """The operator's loss by site; less what was taken back it is the balance of that account."""
    zeros = dict.fromkeys((NO_SITE, *names.values()), 0)
    booked, reversed_ = dict(zeros), dict(zeros)
    for site, minor, back in results.LOSSES.read(kept):
        booked[names.get(site, NO_SITE)] += minor
        reversed_[names.get(site, NO_SITE)] += back
    text = "Money for what was delivered and not paid for."
    yield counter("loss", text, ["site"], (([site], major(it)) for site, it in booked.items()))
    text = "Losses that a correction took back."
    back_by_site = (([site], major(it)) for site, it in reversed_.items())
    yield counter("loss_reversed", text, ["site"], back_by_site)


def _commands(kept: Kept) -> Iterator[Metric]:
    """How calls to stations ended, and how long stations took to answer."""
    ended = Counter[tuple[str, str]]()
    waits: dict[str, list[int]] = {}
    for action, status, many, answers, waited_us, *counts in results.COMMANDS.read(kept):
        label = action if schemas.is_known(schemas.DEFAULT, action) else OTHER
        ended[label, status] += many
        if answers:
            row = [*counts, answers, waited_us]
            before = waits.get(label, [0] * len(row))
            waits[label] = [mine + its for mine, its in zip(before, row, strict=True)]
    text = "Calls to stations that have ended, by how."
    yield counter("commands_ended", text, ["action", "status"], ended.items())
    text = "How long stations took to answer a call."
    samples = (([action], row[:-1], row[-1] / 1e6) for action, row in sorted(waits.items()))
    yield histogram("command_seconds", text, ["action"], results.LATENCIES_S, samples)
