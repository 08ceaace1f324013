"""Record meter readings, keep the running cost, and stop at the limit."""

from stations.models import Station

from ..facts import Metered


def record(*, station: Station, fact: Metered) -> None:
    """Store the samples of one MeterValues and ask for a stop when the limit is reached.

    (session, station time) is the key: a sample that is known changes nothing (P3). Samples of
    no session are stored too, and an unknown transaction becomes an orphan (P8).
    """
    raise NotImplementedError
